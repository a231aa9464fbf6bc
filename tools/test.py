"""Test a checkpoint: python tools/test.py configs/advent/gta2city.py CHECKPOINT --eval mIoU

Several checkpoints are averaged: the weighted sum of their logits is evaluated, or the ensemble that `test_ensemble` of
the config names. Teacher-student methods have a second network, which --of teacher tests.

--on source tests on the labelled images of the source, as the authors of CBST do. It writes NAME_on_source.json.

With --batch-norm target, batch-norm statistics are first estimated again, on the unlabelled target images of the
training (Li et al. 2016, see mmuda/engine/batch_norm_estimation.py). This writes a separate checkpoint to the work dir,
NAME_target_bn.pth, and separate results, NAME_target_bn.json.

The last line says to which file the results are written.
"""

import argparse
import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from command_line import config_parser, parse, run_command


def parse_args() -> argparse.Namespace:
    parser = config_parser(__doc__)
    parser.add_argument('checkpoints', nargs='+', metavar='checkpoint')
    parser.add_argument('--eval', nargs='+', choices=['mIoU', 'mDice', 'mFscore'], help='metrics to compute')
    parser.add_argument(
        '--weights',
        nargs='+',
        type=float,
        help='weights of the checkpoints of an ensemble (default: those of the config, or equal)',
    )
    parser.add_argument(
        '--of', default='segmentor', metavar='CHILD', help='network of the adaptor to test (default: %(default)s)'
    )
    parser.add_argument('--work-dir', help='folder of the log and the results (default: test/ beside the checkpoint)')
    parser.add_argument('--out', metavar='DIR', help='write predictions as PNG files of train ids')
    parser.add_argument('--show-dir', metavar='DIR', help='write pictures of image, prediction and entropy')
    parser.add_argument('--stage', help='for a config with stages: stage of the network (default: the last training)')
    parser.add_argument(
        '--batch-norm',
        choices=['stored', 'target'],
        default='stored',
        help='statistics of the checkpoint (default), or statistics of the unlabelled target images',
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation: that of the config, or flip')
    parser.add_argument(
        '--on',
        default='test',
        choices=['test', 'val', 'source', 'target'],
        help='images to test on: those of the test (default), of the validation or of the training',
    )
    args = parse(parser)
    if args.of != 'segmentor' and args.batch_norm == 'target':
        parser.error(f'--batch-norm target estimates statistics of the segmentor only: leave out --of {args.of}')
    return args


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmengine.config import Config, ConfigDict
from mmengine.model import BaseTTAModel
from mmengine.registry import init_default_scope
from torch import nn

from mmuda.checkpoints.loading import SEGMENTOR, load_weights, network_of
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.checks import check_test, require
from mmuda.engine.distributed import join_processes
from mmuda.engine.evaluated_images import check_labelled, evaluate_on
from mmuda.engine.launch import build_runner, load_config, metrics_with, use_tta
from mmuda.engine.target_batch_norm import sample_of, write_target_batch_norm
from mmuda.evaluation.result_files import ENSEMBLE, FOLDER, PLAIN, Kind
from mmuda.ranks import is_main_process, unwrap
from mmuda.stages import network_config, target_images


def networks(model: Any, alone: bool) -> Sequence[nn.Module]:
    """Return the adaptor, or those of an ensemble, without the wrappers of augmentation and of distributed runs."""
    bare: Any = unwrap(model)
    if isinstance(bare, BaseTTAModel):
        bare = bare.module
    return [bare] if alone else bare.models


def with_target_statistics(cfg: Config, network: Config, checkpoints: list[str]) -> list[str]:
    """Write copies of checkpoints with target statistics of batch-norm to the work dir, and return their names."""
    init_default_scope(network.get('default_scope', 'mmseg'))
    join_processes(network.launcher, network.get('env_cfg', {}))
    images, loader = target_images(cfg, network), network.test_dataloader
    options = dict(
        batch_size=loader.get('batch_size', 1), num_workers=loader.get('num_workers', 0), sample=sample_of(network)
    )
    written = []
    for number, checkpoint in enumerate(checkpoints):
        name = Path(checkpoint).stem if len(checkpoints) == 1 else f'{Path(checkpoint).stem}_{number}'
        copy_name = PLAIN._replace(statistics='target').stem(name)
        written.append(os.path.join(network.work_dir, f'{copy_name}.pth'))
        write_target_batch_norm(network, images, checkpoint, written[-1], **options)
    return written


def set_metrics(cfg: Config, argument: str, value: Any, option: str) -> None:
    """Set an argument of all metrics that have it, if the command line gives it a value.

    Raises:
        ValueError: If no metric has it.
    """
    if value is None:
        return
    metrics = metrics_with(cfg.test_evaluator, argument)
    if not metrics:
        raise ValueError(
            f"{option} sets {argument} of a metric such as 'DomainIoUMetric', but test_evaluator has no such metric. "
            'To segment images without labels, use tools/predict.py CONFIG CHECKPOINT IMAGES --out DIR. To test on the '
            'labelled images of the training, use --on source'
        )
    for metric in metrics:
        metric[argument] = value


def main(args: argparse.Namespace) -> None:
    first = Path(args.checkpoints[0])
    whole = load_config(args.config, args.cfg_options, args.work_dir or str(first.parent / FOLDER))
    cfg = network_config(whole, args.stage)
    cfg.launcher = args.launcher
    cfg.load_from, cfg.resume = None, False
    configured = copy.deepcopy(cfg)
    evaluate_on(cfg, args.on, whole)
    require(cfg, check_test(cfg))
    alone, plain = len(args.checkpoints) == 1, args.of == SEGMENTOR
    parts = [*([] if alone else [ENSEMBLE]), *([] if plain else [args.of])]
    kind = Kind('_'.join(parts), args.on, args.batch_norm, args.tta)
    if args.batch_norm == 'target':
        args.checkpoints = with_target_statistics(whole, configured, args.checkpoints)
    set_metrics(cfg, 'iou_metrics', args.eval, '--eval')
    set_metrics(cfg, 'output_dir', args.out, '--out')
    result = os.path.join(cfg.work_dir, f'{kind.stem(first.stem)}.json')
    writing = metrics_with(cfg.test_evaluator, 'json_file')[:1]
    for metric in writing:
        metric['json_file'] = result
    if args.show_dir:
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='PredictionPictureHook', out_dir=args.show_dir)]
    if not alone:
        ensemble = dict(cfg.get('test_ensemble') or dict(type='LogitEnsemble'))
        if args.weights:
            ensemble['weights'] = args.weights
        cfg.model = ConfigDict(**ensemble, models=[cfg.model] * len(args.checkpoints))
    elif plain:
        cfg.load_from = args.checkpoints[0]
    if args.tta:
        use_tta(cfg)
    runner = build_runner(cfg)
    if cfg.load_from is None:
        for model, checkpoint in zip(networks(runner.model, alone), args.checkpoints, strict=True):
            load_weights(model, network_of(read_checkpoint(checkpoint), args.of, checkpoint), checkpoint)
    check_labelled(runner.test_loop.dataloader.dataset, cfg.test_evaluator)
    runner.test()
    if writing and is_main_process():
        print(f'results: {result}')


if __name__ == '__main__':
    run_command(main, ARGS)

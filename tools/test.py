"""Test a checkpoint: python tools/test.py configs/advent/gta2city.py CHECKPOINT --eval mIoU

Several checkpoints are averaged: the weighted sum of their logits is evaluated, or the ensemble that `test_ensemble` of
the config names. Teacher-student methods keep a second network, which `--of teacher` tests.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from torch import nn

from mmuda.checkpoints.loading import SEGMENTOR, load_weights, network_of
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.command_line import config_parser, parse
from mmuda.engine.launch import build_runner, load_config, use_tta
from mmuda.stages import network_config


def parse_args() -> argparse.Namespace:
    parser = config_parser(__doc__)
    parser.add_argument('checkpoints', nargs='+', metavar='checkpoint')
    parser.add_argument('--eval', nargs='+', choices=['mIoU', 'mDice', 'mFscore'], help='what to compute')
    parser.add_argument(
        '--weights', nargs='+', type=float, help='of the checkpoints of an ensemble (default: of the config, or equal)'
    )
    parser.add_argument(
        '--of', default=SEGMENTOR, metavar='CHILD', help='which network of the adaptor (default: %(default)s)'
    )
    parser.add_argument('--work-dir', help='where the log and the results go (default: test/ beside the checkpoint)')
    parser.add_argument('--out', metavar='DIR', help='write predictions as PNG files of train ids')
    parser.add_argument('--show-dir', metavar='DIR', help='write pictures of image, prediction and entropy')
    parser.add_argument('--stage', help='of a config with stages: whose network it is (default: the last training)')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation (flip), as the config says')
    return parse(parser)


def networks(model: Any, alone: bool) -> Sequence[nn.Module]:
    """Return the adaptor, or those of an ensemble, below the wrappers of augmentation and of distributed runs."""
    while not hasattr(model, SEGMENTOR if alone else 'models'):
        model = model.module
    return [model] if alone else model.models


def main() -> None:
    args = parse_args()
    first = Path(args.checkpoints[0])
    cfg = load_config(args.config, args.cfg_options, args.work_dir or str(first.parent / 'test'))
    cfg = network_config(cfg, args.stage)
    cfg.launcher = args.launcher
    cfg.load_from, cfg.resume = None, False
    if args.eval:
        cfg.test_evaluator.iou_metrics = args.eval
    alone, plain = len(args.checkpoints) == 1, args.of == SEGMENTOR
    name = (first.stem if alone else 'ensemble') + ('' if plain else f'_{args.of}')
    cfg.test_evaluator.json_file = os.path.join(cfg.work_dir, f'{name}.json')
    if args.out:
        cfg.test_evaluator.output_dir = args.out
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
    runner.test()


if __name__ == '__main__':
    main()

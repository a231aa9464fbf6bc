"""Test a checkpoint: python tools/test.py configs/advent/gta2city.py CHECKPOINT --eval mIoU

Several checkpoints are averaged: the weighted sum of their logits is evaluated, or the ensemble that the config names.
"""

import argparse
import os
from pathlib import Path

from mmengine.config import ConfigDict

from mmuda.checkpoints.loading import load_weights
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
    parser.add_argument('--work-dir', help='where the log and the results go (default: test/ beside the checkpoint)')
    parser.add_argument('--out', metavar='DIR', help='write predictions as PNG files of train ids')
    parser.add_argument('--show-dir', metavar='DIR', help='write pictures of image, prediction and entropy')
    parser.add_argument('--stage', help='of a config with stages: whose network it is (default: the last training)')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation (flip), as the config says')
    return parse(parser)


def main() -> None:
    args = parse_args()
    first = Path(args.checkpoints[0])
    cfg = load_config(args.config, args.cfg_options, args.work_dir or str(first.parent / 'test'))
    cfg = network_config(cfg, args.stage)
    cfg.launcher = args.launcher
    cfg.load_from, cfg.resume = None, False
    if args.eval:
        cfg.test_evaluator.iou_metrics = args.eval
    alone = len(args.checkpoints) == 1
    cfg.test_evaluator.json_file = os.path.join(cfg.work_dir, f'{first.stem if alone else "ensemble"}.json')
    if args.out:
        cfg.test_evaluator.output_dir = args.out
    if args.show_dir:
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='PredictionPictureHook', out_dir=args.show_dir)]
    if alone:
        cfg.load_from = args.checkpoints[0]
    else:
        ensemble = dict(cfg.get('test_ensemble') or dict(type='LogitEnsemble'))
        if args.weights:
            ensemble['weights'] = args.weights
        cfg.model = ConfigDict(**ensemble, models=[cfg.model] * len(args.checkpoints))
    if args.tta:
        use_tta(cfg)
    runner = build_runner(cfg)
    if not alone:
        network = runner.model
        while not hasattr(network, 'models'):  # below the wrappers of augmentation and of distributed runs
            network = network.module
        for model, checkpoint in zip(network.models, args.checkpoints, strict=True):
            load_weights(model, read_checkpoint(checkpoint), checkpoint)
    runner.test()


if __name__ == '__main__':
    main()

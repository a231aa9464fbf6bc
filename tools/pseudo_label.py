"""Write pseudo labels by hand: python tools/pseudo_label.py CONFIG CHECKPOINT --strategy ClassBalanced --portion 0.2

Labels the target images of the config, prepared by its test pipeline. PseudoLabelDataset(labels=OUT) reads the result.
A second call with the same arguments continues an interrupted labelling.
"""

import argparse
from pathlib import Path

from command_line import KeyValues, config_parser, parse, run_command

NEED_PORTION = ('ClassBalanced', 'Global')


def parse_args() -> argparse.Namespace:
    parser = config_parser(__doc__)
    parser.add_argument('checkpoint')
    parser.add_argument(
        '--strategy', default='ClassBalanced', help='ClassBalanced (default), Global, MedianCap, Argmax'
    )
    parser.add_argument('--portion', type=float, help='share of pixels to label, for ClassBalanced and Global')
    parser.add_argument('--strategy-options', nargs='+', action=KeyValues, default={}, metavar='KEY=VALUE')
    parser.add_argument('--out', help='folder to write to (default: pseudo_labels/ beside the checkpoint)')
    parser.add_argument('--images', help='text file of image paths to label (default: all target images)')
    parser.add_argument('--prior', help='file of a spatial prior (.mat, .npz, .npy), see CBST-SP')
    parser.add_argument('--at', choices=['image', 'input'], default='image', help='resolution of the labels')
    parser.add_argument('--flip', action='store_true', help='average with the prediction for the mirrored image')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--num-workers', type=int, default=4)
    return parse(parser)


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmengine.registry import init_default_scope

from mmuda.checks import check_test, require
from mmuda.engine.distributed import join_processes
from mmuda.engine.launch import load_config
from mmuda.engine.stopping import stoppable
from mmuda.stages import LabelStage, make_context


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options, str(Path(args.checkpoint).parent))
    require(cfg, check_test(cfg))
    for option, file in (('--images', args.images), ('--prior', args.prior)):
        if file is not None and not Path(file).is_file():
            raise FileNotFoundError(f'{option} {file} does not exist')
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    join_processes(args.launcher, cfg.get('env_cfg', {}))
    strategy = dict(type=args.strategy, **args.strategy_options)
    if args.portion is not None:
        strategy['portion'] = args.portion
    elif args.strategy in NEED_PORTION and 'portion' not in strategy:
        raise ValueError(f'--strategy {args.strategy} needs --portion, the share of pixels to label')
    stage = LabelStage(
        'pseudo_labels',
        args.checkpoint,
        strategy,
        images=args.images,
        prior=args.prior,
        at=args.at,
        flip=args.flip,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
    )
    ctx = make_context(cfg, [stage], args.launcher)
    with stoppable():
        stage.execute(ctx, Path(args.out) if args.out else ctx.folders[stage.name], resume=True)


if __name__ == '__main__':
    run_command(main, ARGS)

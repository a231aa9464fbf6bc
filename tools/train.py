"""Train a config: python tools/train.py configs/advent/gta2city.py"""
import argparse
import os

from mmengine.config import DictAction

from mmuda.engine.launch import build_runner, load_config, set_precision


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a config.')
    parser.add_argument('config')
    parser.add_argument('--work-dir', help='where logs and checkpoints go (default: work_dirs/FOLDER/CONFIG)')
    parser.add_argument(
        '--resume', nargs='?', const=True, default=False, metavar='CHECKPOINT',
        help='go on from the newest checkpoint in the work dir, or from the given one')
    parser.add_argument(
        '--amp', nargs='?', const='float16', choices=['float16', 'bfloat16'],
        help='mixed precision (float16 needs a GPU)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override keys of the config; one that does not exist is an error, +KEY=VALUE adds it')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    cfg.launcher = args.launcher
    if args.resume:
        cfg.resume = args.resume
    if args.amp:
        set_precision(cfg, args.amp)
    build_runner(cfg).train()


if __name__ == '__main__':
    main()

"""The command line of the tools that read a config."""

import argparse
import os

from mmengine.config import DictAction


def config_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of a command that reads a config and may run in several processes.

    Args:
        description: Shown by ``--help``, with its line breaks.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override keys of the config; one that does not exist is an error, +KEY=VALUE adds it',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line and tell PyTorch which process of its machine this one is."""
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args

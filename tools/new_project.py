"""Write a plug-in that trains on MiniCity: python tools/new_project.py my_method

The folder projects/NAME gets a method, a config, a test, a README and a metafile. Replace the loss with your own.
"""

import argparse
from pathlib import Path

from command_line import add_traceback, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', metavar='NAME', help='name in lower-case letters, digits and underscores')
    parser.add_argument('--class-name', metavar='CLASS', help='name of the class (default: my_method becomes MyMethod)')
    parser.add_argument(
        '--root',
        type=Path,
        default=Path(),
        metavar='DIR',
        help='folder that contains projects/ (default: the working directory)',
    )
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = parse_args()  # before the imports below, so that --help waits for none

from mmuda.scaffolding import write_project


def main(args: argparse.Namespace) -> None:
    for path in write_project(args.name, args.root, args.class_name):
        print(path)
    project = args.root / 'projects' / args.name
    print(f'\nNext:\n    python tools/minicity.py\n    python tools/train.py {project}/configs/minicity.py')
    print(f'    python -m pytest {project}/tests')


if __name__ == '__main__':
    run_command(main, ARGS)

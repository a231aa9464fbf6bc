"""Make the tables of results in READMEs again, from metafiles: python tools/readme.py [FOLDER ...]"""

import argparse
from pathlib import Path

from command_line import add_traceback, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'folders', nargs='*', type=Path, help='with README.md and metafile.yml (default: all, and the project)'
    )
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmuda.readme import folders_with_results, update_readme


def main(args: argparse.Namespace) -> None:
    root = Path(__file__).resolve().parents[1]
    for folder in args.folders or [root, *folders_with_results(root)]:
        if update_readme(folder):
            print(f'{folder}/README.md')


if __name__ == '__main__':
    run_command(main, ARGS)

"""Make the tables of results in READMEs anew from their metafiles: python tools/readme.py [FOLDER ...]"""

import argparse
from pathlib import Path

from mmuda.engine.command_line import add_traceback, run_command
from mmuda.readme import folders_with_results, update_readme


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folders', nargs='*', type=Path, help='with README.md and metafile.yml (default: all)')
    args = add_traceback(parser).parse_args()
    for folder in args.folders or folders_with_results(Path(__file__).resolve().parents[1]):
        if update_readme(folder):
            print(f'{folder}/README.md')


if __name__ == '__main__':
    run_command(main)

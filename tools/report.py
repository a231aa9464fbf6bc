"""Show runs: python tools/report.py work_dirs/source_only/minicity work_dirs/advent/minicity

Writes one HTML page that needs no other file: a table of scores, IoU of classes, curves of validations and losses, and
predictions for images of the target. A folder that contains several trainings means all of them. Tests with batch-norm
statistics of the target (tools/test.py --batch-norm target) are rows of their own.
"""

import argparse
from pathlib import Path

from command_line import add_traceback, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', type=Path)
    parser.add_argument('--out', type=Path, help='file to write (default: report.html in the first work dir)')
    parser.add_argument('--pictures', type=int, default=4, help='test images to show; 0 needs no data (default: 4)')
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = parse_args()  # before the imports below, so that --help waits for none

from mmuda.comparison import write_run_report


def main(args: argparse.Namespace) -> None:
    path = write_run_report(args.out or args.work_dirs[0] / 'report.html', args.work_dirs, args.pictures)
    print(f'report: {path}')


if __name__ == '__main__':
    run_command(main, ARGS)

"""Write a plain mmseg checkpoint of a trained segmentor.

python tools/publish_model.py iter_120000.pth advent_gta2city.pth
"""

import argparse

from mmuda.checkpoints import publish
from mmuda.engine.command_line import add_traceback, run_command


def main() -> None:
    parser = argparse.ArgumentParser(description='Keep the segmentor of a checkpoint, under the keys of plain mmseg.')
    parser.add_argument('checkpoint')
    parser.add_argument('output', help='the first digits of its hash are added to the name')
    args = add_traceback(parser).parse_args()
    print(publish(args.checkpoint, args.output))


if __name__ == '__main__':
    run_command(main)

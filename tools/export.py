"""Write a trained network as ONNX: python tools/export.py CONFIG CHECKPOINT OUT.onnx

The file has the network with its upsampling. Its inputs are normalised images, and its outputs are labels (or logits)
of their size, for any number of images of any size, if the network supports that. Before the file is written, ONNX
Runtime compares it with PyTorch. Mean, standard deviation, channel order, classes and colours are in its metadata. They
are also printed, with the lines of Python that run the file. Needs: pip install -e ".[deploy]"
"""

import argparse

from command_line import config_parser, parse, run_command


def parse_args() -> argparse.Namespace:
    parser = config_parser(__doc__)
    parser.add_argument('checkpoint')
    parser.add_argument('out', help='file to write')
    parser.add_argument('--output', choices=['labels', 'logits'], default='labels', help='default: %(default)s')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        default=[512, 1024],
        metavar=('H', 'W'),
        help='size of the image with which the network is exported',
    )
    parser.add_argument('--fixed-size', action='store_true', help='take images of this size only, one at a time')
    parser.add_argument(
        '--of', default='segmentor', metavar='CHILD', help='network of the adaptor to export (default: %(default)s)'
    )
    parser.add_argument('--stage', help='for a config with stages: stage of the network (default: the last training)')
    return parse(parser)


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmuda.deployment import export_onnx, how_to_run
from mmuda.deployment.onnx_export import check_packages
from mmuda.engine.inference import load_model
from mmuda.engine.launch import load_config
from mmuda.stages import network_config


def main(args: argparse.Namespace) -> None:
    check_packages()
    cfg = network_config(load_config(args.config, args.cfg_options), args.stage)
    model = load_model(cfg, args.checkpoint, child=args.of)
    print(how_to_run(export_onnx(model, args.out, args.size, args.output, not args.fixed_size)))


if __name__ == '__main__':
    run_command(main, ARGS)

"""Convert a published network of another code base into a plain mmseg checkpoint.

python tools/convert.py advent gta2cityscapes_advent.pth advent.pth
"""

import argparse
from pathlib import Path

from command_line import add_traceback, run_command

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
NETWORKS = {
    'adaptsegnet': 'AdaptSegNet: ResNet-101 (multi- or single-level), trained on Cityscapes (oracle), VGG-16',
    'advent': 'ADVENT, MinEnt and IntraDA: ResNet-101',
    'cbst': "CBST's ResNet-38 and its ImageNet weights, .params of MXNet",
    'sim': 'SIM: ResNet-101',
    'fada': 'FADA: ResNet-101, VGG-16',
    'sdca': 'SDCA: ResNet-101, VGG-16',
    'daformer': 'DAFormer, HRDA and MIC on MiT-B5; the student, as in the papers',
    'mit': "NVIDIA's MiT-B0 to B5 of SegFormer, for init_cfg",
    'caffe_resnet101': "ResNet-101 of Caffe, alone or as DeepLab's starting point, for init_cfg",
    'torchvision_vgg16': "VGG-16 under torchvision's names, the weights of Caffe among them, for init_cfg",
}


def parse_args() -> argparse.Namespace:
    origins = '\n'.join(f'  {name:18}{networks}' for name, networks in NETWORKS.items())
    parser = argparse.ArgumentParser(
        prog='convert.py',
        description=__doc__,
        epilog=f'origins:\n{origins}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'origin', choices=NETWORKS, metavar='origin', help='code base that published the file, see below'
    )
    parser.add_argument('source', help='the original file')
    parser.add_argument('output', help='checkpoint to write')
    parser.add_argument('--config', help='config of the network (default: chosen by the content of the file)')
    parser.add_argument(
        '--backbone-only', action='store_true', help='leave the classifier out: a starting point for init_cfg'
    )
    parser.add_argument(
        '--trust',
        action='store_true',
        help='unpickle all objects in the file, which runs any code that somebody put there',
    )
    return add_traceback(parser).parse_args()


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmuda.conversion import Converted, convert


def main(args: argparse.Namespace) -> None:
    report(convert(args.origin, args.source, args.output, CONFIGS, args.config, args.trust, args.backbone_only))


def report(done: Converted) -> None:
    if done.left_out:
        print(f'left out: {", ".join(done.left_out[:10])}{" ..." if len(done.left_out) > 10 else ""}')
    what = 'the backbone alone, for init_cfg' if done.backbone_only else f'{len(done.meta["classes"])} classes'
    print(f'{done.path}: {done.meta["method"]}, {what}, fits {done.config}')


if __name__ == '__main__':
    run_command(main, ARGS)

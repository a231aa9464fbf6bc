"""Segment images that have no labels: python tools/predict.py CONFIG CHECKPOINT IMAGES... --out DIR

IMAGES are files, folders (with all their subfolders), patterns ("shots/*/left_*.jpg"), lists (.txt, one path on each
line) and videos. The command writes into DIR: labels/ (PNG files of train ids, with the folders and names of the
images), shares.json (the number of pixels of each class) and prediction.json (network and settings); with options also
overlays/ with legend.png (the colours of the classes) and confidence/ (255 times the probability of the predicted
class). A second call continues: images whose files are complete are skipped.

Train ids number the classes from 0, in the order of the config. With --format own the command writes own_ids/ instead
of labels/: PNG files of the ids of your own label files, from the label_table of the config. If several ids are one
class, the smallest is written.

The test pipeline of the config prepares the images, so results are those of tools/test.py. If the config does not
resize images, large ones are predicted in overlapping windows. With --window all images that are larger than a window
are predicted in windows, without the resize of the config. Published weights need the config beside them, and networks
of plain mmseg need their own config.

Several processes: tools/launch.sh 4 tools/predict.py CONFIG CHECKPOINT IMAGES... --out DIR
"""

import argparse
import os
from pathlib import Path

from command_line import config_parser, parse, run_command

MEGAPIXEL = 10**6
OWN = 'own'


def parse_args() -> argparse.Namespace:
    parser = config_parser(__doc__)
    parser.add_argument('checkpoint')
    parser.add_argument('inputs', nargs='+', metavar='IMAGES')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write to')
    parser.add_argument(
        '--overlay', action='store_true', help='write images with the colours of their classes and a legend, too'
    )
    parser.add_argument('--confidence', action='store_true', help='write maps of 255 times the confidence, too')
    parser.add_argument('--no-palette', action='store_true', help='write grey label maps; the ids are the same')
    parser.add_argument(
        '--format',
        choices=[OWN, 'cityscapes', 'acdc', 'dark_zurich', 'loveda'],
        help='write label maps with the ids of your own label files, or in the format of this test server',
    )
    parser.add_argument(
        '--ensemble', nargs='+', default=[], metavar='CHECKPOINT', help='average with these networks, too'
    )
    parser.add_argument(
        '--of', default='segmentor', metavar='CHILD', help='network of the adaptor to use (default: %(default)s)'
    )
    parser.add_argument('--stage', help='for a config with stages: stage of the network (default: the last training)')
    parser.add_argument('--tta', action='store_true', help='average with the mirrored image, or as the config says')
    parser.add_argument(
        '--scales', nargs='+', type=float, metavar='FACTOR', help='average over images resized by these factors'
    )
    parser.add_argument('--window', type=int, metavar='PIXELS', help='predict in windows of this height and width')
    parser.add_argument('--overlap', type=int, metavar='PIXELS', help='overlap of windows (default: an eighth)')
    parser.add_argument(
        '--window-scale', type=float, default=1.0, metavar='FACTOR', help='resize windows by this factor'
    )
    parser.add_argument(
        '--whole-up-to',
        type=float,
        default=2**22 / MEGAPIXEL,
        metavar='MEGAPIXELS',
        help='larger images that the config does not resize are predicted in windows (default: %(default).1f)',
    )
    parser.add_argument(
        '--max-megapixels',
        type=float,
        default=178_956_970 / MEGAPIXEL,
        metavar='MEGAPIXELS',
        help='larger files are refused (default: %(default).0f)',
    )
    parser.add_argument('--every', type=int, default=1, metavar='N', help='take every n-th frame of videos')
    parser.add_argument('--batch-size', type=int, default=1, help='images or windows in a forward pass')
    parser.add_argument('--num-workers', type=int, default=2, help='processes that read images')
    return parse(parser)


if __name__ == '__main__':
    ARGS = run_command(parse_args)  # before the imports below, so that --help waits for none

from mmengine.logging import print_log

from mmuda.engine.distributed import join_processes
from mmuda.engine.launch import load_config
from mmuda.engine.stopping import stoppable
from mmuda.prediction import Outputs, find_images, get_format, own_ids, predict, predict_folder, shares_table
from mmuda.ranks import from_main, is_main_process
from mmuda.stages import network_config


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options, args.out)
    join_processes(args.launcher, cfg.get('env_cfg', {}))
    entries, others = from_main(lambda: find_images(args.inputs, args.out, args.every))
    predictor = predict(
        cfg,
        [args.checkpoint, *args.ensemble],
        child=args.of,
        stage=args.stage,
        tta=args.tta,
        scales=args.scales and tuple(args.scales),
        window=args.window,
        overlap=args.overlap,
        window_scale=args.window_scale,
        whole_up_to=round(args.whole_up_to * MEGAPIXEL),
        max_pixels=round(args.max_megapixels * MEGAPIXEL),
        batch_size=args.batch_size,
    )
    outputs = Outputs(
        Path(args.out),
        predictor.classes,
        not args.no_palette,
        args.overlay,
        args.confidence,
        server=get_format(args.format) if args.format and args.format != OWN else None,
        ids=own_ids(network_config(cfg, args.stage), predictor.classes.names) if args.format == OWN else None,
    )
    left_out = f'; {others} other files are left out' if others else ''
    print_log(f'{len(entries)} images to predict{left_out}', 'current')
    with stoppable():
        done = predict_folder(predictor, entries, outputs, args.num_workers)
    if is_main_process():
        print(shares_table(done.shares))
        print(f'{done.predicted} images predicted, {done.skipped} were there: {os.path.join(args.out, "")}')
    if done.failed:
        told = '\n  '.join(list(done.failed.values())[:10])
        raise OSError(f'{len(done.failed)} images could not be predicted; all others are done:\n  {told}')


if __name__ == '__main__':
    run_command(main, ARGS)

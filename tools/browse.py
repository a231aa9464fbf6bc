"""Show training pairs as the network gets them: python tools/browse.py configs/advent/gta2city.py

Reads pairs in the order of training, with all augmentation, and normalises and pads them as in training. Writes one
picture for each pair (images, labels, labels over images) and index.html. If the config has stages, it shows the first
training, or the training that --stage names. The stages before that one must be finished.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from command_line import KeyValues, add_traceback, run_command


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--count', type=int, default=12, help='pairs to show (default: 12)')
    parser.add_argument('--out', type=Path, help='folder to write to (default: browse/ in the work dir of the config)')
    parser.add_argument('--height', type=int, default=256, help='height of each picture in pixels (default: 256)')
    parser.add_argument('--stage', help='for a config with stages: the training to show (default: the first one)')
    parser.add_argument('--work-dir', help='folder with the results of earlier stages (default: as tools/train.py)')
    parser.add_argument('--cfg-options', nargs='+', action=KeyValues, default={}, metavar='KEY=VALUE')
    args = add_traceback(parser).parse_args()
    if min(args.count, args.height) < 1:
        parser.error('--count and --height must be positive')
    return args


if __name__ == '__main__':
    ARGS = parse_args()  # before the imports below, so that --help waits for none

import cv2
import numpy as np
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch.utils.data import DataLoader

from mmuda.engine import AdaptationRunner
from mmuda.engine.launch import config_name, load_config
from mmuda.internals import converts_channels
from mmuda.models import pixel_statistics
from mmuda.models.adaptors.showing import Showing
from mmuda.stages import training_config
from mmuda.visualization import training_pictures, write_gallery


def pairs(loader: DataLoader, preprocessor: Any) -> Iterator[dict[str, np.ndarray]]:
    """Yield the pictures of one pair after the other, as a dict from captions to images (H, W, 3) uint8."""
    palette = loader.dataset.metainfo['palette']
    for batch in loader:
        batch = preprocessor(batch, training=True)
        showing = Showing()
        showing.shown = {}
        for domain, part in batch.items():
            showing.show_batch(domain, part)
        count = max(len(part['inputs']) for part in batch.values())
        statistics = pixel_statistics(preprocessor, 'target')
        bgr = not converts_channels(preprocessor)
        yield from map(with_overlays, training_pictures(showing.shown, count, *statistics, bgr, palette))


def with_overlays(pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the pictures of a pair, with those of labels over images added."""
    overlays = {}
    for name, label in pictures.items():
        domain = name.removesuffix(' label')
        if domain != name:
            image = pictures[f'{domain} image']
            if label.shape != image.shape:  # some labels have the stride of the network
                label = cv2.resize(label, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            overlays[f'{domain} both'] = cv2.addWeighted(image, 0.5, label, 0.5, 0)
    return pictures | overlays


def main(args: argparse.Namespace) -> None:
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    folder = args.out or Path(cfg.work_dir) / 'browse'
    cfg = training_config(cfg, args.stage)
    seed = cfg.get('randomness', {}).get('seed', 0)
    loader = AdaptationRunner.build_dataloader(cfg.train_dataloader, seed=seed)
    found = itertools.islice(pairs(loader, MODELS.build(cfg.model.data_preprocessor)), args.count)
    named = ((f'pair_{number:04d}', pictures) for number, pictures in enumerate(found))
    meta = loader.dataset.metainfo
    path = write_gallery(
        folder, f'Training pairs of {config_name(args.config)}', named, meta['classes'], meta['palette'], args.height
    )
    print(f'{args.count} pairs: {path}')


if __name__ == '__main__':
    run_command(main, ARGS)

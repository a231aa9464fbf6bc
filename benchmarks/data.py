"""Measure samples a second for one worker: PIL loaders, mmseg's, ours, and ours from the cache of decoded samples.

    python benchmarks/data.py [--images 8] [--samples 24] [--rounds 3] [--pipelines advent daformer ...]

The command makes the images: PNG files of GTA5's size (1914x1052), with palette PNGs of Cityscapes ids as labels, as in
GTA5, and PNG files of the size of Cityscapes (2048x1024). They have grain, so that files are as large as the real ones.
A sample is one source and one target image with the pipelines of configs/_base_/datasets, including augmentation and
packing.

* pil: open, convert, resize (bicubic, nearest neighbour for labels) and map the ids class by class, as in the original
  code; only for advent, whose pipeline has no further steps.
* mmseg: the same steps with mmseg's reader and loaders. These read train ids only, so the labels are converted before.
* ours: the unchanged config.
* cached: the config with cache_bytes, after one pass.

These variants take turns in one process with one thread. CPU seconds are counted, so other work on the machine matters
little. With W workers on W free cores all rates are W times as high. The files are in the page cache of the machine, so
its disk is not measured. Ratios are medians over rounds.
"""

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

import mmuda  # noqa: F401
from mmuda.datasets import get_label_table
from mmuda.datasets.classes import CITYSCAPES_CLASSES

ROOT = Path(__file__).parents[1]
PIPELINES = dict(advent='gta2city', dacs='gta2city_dacs', daformer='gta2city_daformer', cbst='gta2city_cbst')
SIZES = dict(source=(1914, 1052), target=(2048, 1024))
MEAN = np.array([104.00698793, 116.66876762, 122.67891434], np.float32)
IDS = [raw for raw, train in get_label_table('cityscapes').pairs if train != 255]


def write_images(root: Path, count: int, scale: float) -> dict[str, int]:
    """Write both data sets, and return the mean bytes of an image for each domain."""
    folders = dict(source=root / 'gta5/images', target=root / 'cityscapes/leftImg8bit/train/town')
    for side, folder in folders.items():
        size = tuple(round(length * scale) for length in SIZES[side])
        folder.mkdir(parents=True)
        for number in range(count):
            random = np.random.default_rng([number, len(side)])
            coarse = random.integers(0, 256, (size[1] // 100 + 1, size[0] // 100 + 1, 3), dtype=np.uint8)
            smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
            grain = random.normal(0, 1, (*smooth.shape[:2], 3))
            name = f'{number:05d}.png' if side == 'source' else f'town_{number:06d}_leftImg8bit.png'
            cv2.imwrite(str(folder / name), np.clip(smooth + grain, 0, 255).astype(np.uint8))
            if side == 'source':
                regions = random.integers(0, len(IDS), (size[1] // 24, size[0] // 24), dtype=np.uint8)
                train = cv2.resize(regions, size, interpolation=cv2.INTER_NEAREST)
                _write_label(root / 'gta5/labels' / name, np.array(IDS, np.uint8)[train], palette=True)
                _write_label(root / 'gta5/train_ids' / name, train, palette=False)
    return {side: sum(path.stat().st_size for path in folder.iterdir()) // count for side, folder in folders.items()}


def _write_label(path: Path, label: np.ndarray, palette: bool) -> None:
    path.parent.mkdir(exist_ok=True)
    image = Image.fromarray(label)
    if palette:
        image.putpalette(list(range(256)) * 3)
    image.save(path)


def pil_sides(root: Path, sizes: dict[str, tuple[int, int]]) -> Callable[[int], None]:
    """Return a function that reads a pair as the original code does: PIL, NumPy, a loop over the classes."""
    images = sorted((root / 'gta5/images').iterdir())
    targets = sorted((root / 'cityscapes/leftImg8bit/train/town').iterdir())

    def image_of(path: Path, size: tuple[int, int]) -> np.ndarray:
        image = Image.open(path).convert('RGB').resize(size, Image.Resampling.BICUBIC)
        return ((np.asarray(image, np.float32)[:, :, ::-1] - MEAN).transpose(2, 0, 1)).copy()

    def read(number: int) -> None:
        path = images[number]
        image_of(path, sizes['source'])
        label = Image.open(root / 'gta5/labels' / path.name).resize(sizes['source'], Image.Resampling.NEAREST)
        ids = np.asarray(label, np.float32)
        mapped = np.full(ids.shape, 255, np.float32)
        for train, raw in enumerate(IDS):
            mapped[ids == raw] = train
        image_of(targets[number], sizes['target'])

    return read


def as_mmseg(pairs: Any, root: Path) -> Any:
    """Return the config of the pairs with mmseg's own reader and loaders."""
    pairs = copy.deepcopy(pairs)
    pairs.source = dict(
        type='BaseSegDataset',
        data_prefix=dict(img_path=str(root / 'gta5/images'), seg_map_path=str(root / 'gta5/train_ids')),
        img_suffix='.png',
        metainfo=dict(classes=CITYSCAPES_CLASSES),
        pipeline=pairs.source.pipeline,
    )
    loaders = dict(LoadDomainImage='LoadImageFromFile', LoadDomainAnnotations='LoadAnnotations')
    for side in (pairs.source, pairs.target):
        for step in side['pipeline']:
            step['type'] = loaders.get(step['type'], step['type'])
    return pairs


def sides_of(name: str, root: Path) -> dict[str, Callable[[int], Any]]:
    """Return for each variant a function that reads the n-th pair."""
    cfg = Config.fromfile(ROOT / f'configs/_base_/datasets/{PIPELINES[name]}.py')
    pairs = cfg.train_dataloader.dataset
    configs = dict(mmseg=as_mmseg(pairs, root), ours=pairs, cached=dict(pairs, cache_bytes=1e12))
    sides: dict[str, Callable[[int], Any]] = {}
    if name == 'advent':
        sides['pil'] = pil_sides(root, dict(source=cfg.source_size, target=cfg.target_size))
    for side, config in configs.items():
        sides[side] = partial(read_pair, DATASETS.build(config))
    return sides


def read_pair(pairs: Any, number: int) -> dict:
    """Return a pair; its augmentation depends on the number alone, so all variants get the same."""
    return pairs[(number, number, number)]


def measure(sides: dict[str, Callable[[int], Any]], args: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of a pair for each variant and round; each variant first reads all images once."""
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for read in sides.values():
        for number in range(args.images):
            read(number)
    for number in range(args.rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            start = time.process_time()
            for n in range(args.samples):
                sides[side](n % args.images)
            seconds[side].append((time.process_time() - start) / args.samples)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=8, help='images of each domain')
    parser.add_argument('--samples', type=int, default=24, help='pairs that each variant reads in a round')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--scale', type=float, default=1.0, help='factor of height and width of the images')
    parser.add_argument('--pipelines', nargs='+', choices=list(PIPELINES), default=list(PIPELINES))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    init_default_scope('mmseg')
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sizes = write_images(root, args.images, args.scale)
        os.environ.update(
            MMUDA_CACHE_DIR=f'{root}/cache', GTA5_ROOT=f'{root}/gta5', CITYSCAPES_ROOT=f'{root}/cityscapes'
        )
        print(
            f'{args.images} images of each domain, {", ".join(f"{side} {n / 1e6:.1f} MB" for side, n in sizes.items())}'
        )
        print(f'{"pipeline":10}{"side":8}{"ms a pair":>11}{"images/s":>10}{"mmseg / this":>14}{"pil / this":>12}')
        for name in args.pipelines:
            seconds = measure(sides_of(name, root), args)
            for side, runs in seconds.items():
                ratios = [
                    statistics.median(a / b for a, b in zip(seconds[other], runs, strict=True))
                    if other in seconds
                    else 0
                    for other in ('mmseg', 'pil')
                ]
                middle = statistics.median(runs)
                print(
                    f'{name:10}{side:8}{1000 * middle:11.1f}{2 / middle:10.1f}{ratios[0]:14.2f}'
                    + (f'{ratios[1]:12.2f}' if ratios[1] else '')
                )


if __name__ == '__main__':
    main()

"""Measure samples per second of rare-class sampling, ours against the published rule, on PNGs of GTA5's size.

    python benchmarks/rare_class.py [--images 24] [--samples 60] [--rounds 3] [--threads 1]

The source is MiniCity at 1914x1052 with film grain, so that its files are as large as GTA5's. Both variants use the
same draws of a class and of an image with this class, and the pipeline of configs/_base_/datasets/gta2city_daformer.py.
The published rule runs the whole pipeline again, up to eleven times, until the crop shows enough of the class. Ours
decodes the image once and draws another window. The variants take turns in one process, without workers. With W workers
on W free cores, both columns are W times as high. The last column counts how often the published rule decodes.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from mmuda.datasets import DrawnImage, RareClassOrder
from mmuda.datasets.pairs.domain_pair import read_item, seeded
from mmuda.minicity import write_minicity

ROOT = Path(__file__).parents[1]
SIZE = (1914, 1052)
RUNS = 11


def add_grain(folder: Path) -> int:
    """Add noise to all images of a folder; return the mean size of a file in bytes."""
    paths = sorted(folder.glob('*.png'))
    for number, path in enumerate(paths):
        image = cv2.imread(str(path))
        noise = np.random.default_rng(number).normal(0, 2, image.shape)
        cv2.imwrite(str(path), np.clip(image + noise, 0, 255).astype(np.uint8))
    return sum(path.stat().st_size for path in paths) // len(paths)


def published(dataset, drawn: DrawnImage, runs: list[int]) -> dict:
    """Run the pipeline until the crop has enough pixels of the drawn class."""
    runs.append(0)
    while runs[-1] < RUNS:
        item = dataset[drawn.number]
        runs[-1] += 1
        label = item['data_samples'].gt_sem_seg.data
        if (label == drawn.keys['wanted_class']).sum() > drawn.keys['wanted_pixels']:
            break
    return item


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=24)
    parser.add_argument('--samples', type=int, default=60, help='samples of each variant in a round')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--size', type=int, nargs=2, default=SIZE, metavar=('W', 'H'))
    args = parser.parse_args()
    cv2.setNumThreads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(MMUDA_CACHE_DIR=f'{folder}/cache', GTA5_ROOT=f'{folder}/source')
        write_minicity(folder, num_source=args.images, num_target=1, num_val=1, size=tuple(args.size))
        file_size = add_grain(Path(folder) / 'source/images')
        init_default_scope('mmseg')
        cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/gta2city_daformer.py')
        dataset = DATASETS.build(cfg.train_dataloader.dataset.source)
        order = RareClassOrder(dataset, seed=0)
        runs: list[int] = []
        sides = dict(
            published=lambda drawn: published(dataset, drawn, runs), ours=lambda drawn: read_item(dataset, drawn)
        )
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(args.rounds):
            for name in sides if number % 2 == 0 else reversed(sides):
                start = time.perf_counter()
                for n in range(number * args.samples, (number + 1) * args.samples):
                    with seeded(0, n):
                        sides[name](order[n])
                rates[name].append(args.samples / (time.perf_counter() - start))
    theirs, mine = (statistics.median(rates[name]) for name in sides)
    ratio = statistics.median(ours / them for them, ours in zip(rates['published'], rates['ours'], strict=True))
    print(f'{args.images} images of {args.size[0]}x{args.size[1]}, {file_size / 1e6:.1f} MB each')
    print(f'{"published, 1/s":>16}{"ours, 1/s":>12}{"ours / published":>18}{"decodings, published":>22}')
    print(f'{theirs:16.2f}{mine:12.2f}{ratio:18.1f}{statistics.mean(runs):22.1f}')


if __name__ == '__main__':
    main()

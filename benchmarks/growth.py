"""Measure time and memory against the number of images: of the start of a run, and of the work for each image.

    python benchmarks/growth.py [--images 1000 10000 100000] [--json FILE]

Images and labels are links to a few tiny PNG files. So the work with names, time stamps, headers and counts is
measured, not decoding. Each row is measured in a separate process, forked after the imports. Later rows find the
entries of earlier rows in the cache folder. Seconds are CPU seconds of all threads; MiB are the growth of the process.
`an image` is the slope between the two largest numbers of images.
"""

import argparse
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.registry import init_default_scope
from pairing import resident
from terminaltables import AsciiTable

from mmuda.datasets.cache import CACHE_DIR_VARIABLE
from mmuda.datasets.class_presence import class_counts
from mmuda.datasets.pairs import DomainPairDataset, DomainPairSampler
from mmuda.datasets.readers import RawSegDataset
from mmuda.evaluation import DomainIoUMetric
from mmuda.files import write_json
from mmuda.labeling import ClassBalanced

CLASSES, SIDE, DIFFERENT = 19, 16, 20
LINKS = 50_000
"""Links to one file. File systems have a limit."""

STEPS = (dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'))
BALANCED = dict(type='ClassBalancedOrder')
RARE = dict(type='RareClassOrder', min_pixels=1, min_crop_ratio=0)


def write_stand_ins(folder: Path, images: int) -> None:
    """Write links to small images and labels, in the folders of a data set."""
    rng = np.random.default_rng(0)
    for kind in ('images', 'labels'):
        (folder / kind).mkdir(parents=True)
    for number in range(images):
        for kind in ('images', 'labels'):
            place = folder / kind / f'{number:06d}.png'
            first = folder / kind / f'{number // LINKS * LINKS + number % DIFFERENT:06d}.png'
            if place == first:
                shape = (SIDE, SIDE, 3) if kind == 'images' else (SIDE, SIDE)
                cv2.imwrite(str(place), rng.integers(0, CLASSES, shape, dtype=np.uint8))
            else:
                os.link(first, place)


def build(folder: Path, labelled: bool = True) -> RawSegDataset:
    """Return the data set of the links."""
    prefix = dict(img_path='images') if not labelled else dict(img_path='images', seg_map_path='labels')
    return RawSegDataset(
        label_table='train_ids',
        data_root=str(folder),
        data_prefix=prefix,
        pipeline=list(STEPS if labelled else STEPS[:1]),
    )


def pairs(folder: Path) -> DomainPairDataset:
    """Return pairs in which the links are the source and the target."""
    return DomainPairDataset(build(folder), build(folder, labelled=False), seed=0)


def draw(folder: Path, place: int = 0, **options: object) -> tuple[Callable, Callable]:
    """Return a function that builds pairs, and one that builds their sampler and takes the pair at a position."""

    def measured(found: DomainPairDataset) -> None:
        sampler = DomainPairSampler(found, seed=0, **options)
        sampler.skip(place)
        next(iter(sampler))

    return lambda: pairs(folder), measured


def thresholds(images: int) -> Callable:
    """Return a function that adds the confidences of images and computes thresholds."""
    prob = torch.rand(CLASSES, SIDE, SIDE).softmax(dim=0)

    def measured(_: object) -> None:
        strategy = ClassBalanced(0.2)
        statistics = strategy.new_statistics(CLASSES)
        for _ in range(images):
            statistics.add(*prob.max(dim=0))
        strategy.thresholds(statistics)

    return measured


def validation(images: int) -> Callable:
    """Return a function that evaluates predictions of images."""
    label = torch.randint(0, CLASSES, (1, SIDE, SIDE))

    def measured(_: object) -> None:
        metric = DomainIoUMetric()
        metric.dataset_meta = dict(classes=[f'class {number}' for number in range(CLASSES)])
        for number in range(images):
            sample = dict(img_path=f'{number}.png', pred_sem_seg=dict(data=label), gt_sem_seg=dict(data=label))
            metric.process(None, [sample])
        metric.evaluate(images)

    return measured


def rows(folder: Path, images: int) -> dict[str, tuple[Callable, Callable]]:
    """Return for each row a function that prepares, and the measured function, which gets the result of the first."""

    def nothing() -> None:
        """Prepare nothing."""

    def again(_: object) -> None:
        class_counts(build(folder))

    policies = {'class-balanced': BALANCED, 'rare-class': RARE}
    return {
        'labelled data set, first time': (nothing, lambda _: build(folder)),
        'labelled data set, again': (nothing, lambda _: build(folder)),
        'unlabelled data set': (nothing, lambda _: build(folder, labelled=False)),
        'classes of labels, first time': (lambda: build(folder), class_counts),
        'data set and classes of labels, again': (nothing, again),
        'uniform order, first pair': draw(folder),
        **{f'{name} order, first pair': draw(folder, source_policy=policy) for name, policy in policies.items()},
        'uniform order, after a skip of 10 passes': draw(folder, 10 * images),
        'class-balanced order, after a skip of a pass': draw(folder, images, source_policy=BALANCED),
        'thresholds of pseudo labels': (nothing, thresholds(images)),
        'validation': (nothing, validation(images)),
    }


def measured(name: str, folder: Path, images: int, answer: Connection) -> None:
    """Measure one row in this process."""
    torch.set_num_threads(1)
    logging.disable()
    init_default_scope('mmseg')
    os.environ[CACHE_DIR_VARIABLE] = str(folder.with_name('cache'))
    prepare, work = rows(folder, images)[name]
    given = prepare()
    base, start = resident(), time.process_time()
    work(given)
    answer.send(dict(seconds=time.process_time() - start, mib=(resident() - base) / 2**20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', nargs='+', type=int, default=[1000, 10_000, 100_000])
    parser.add_argument('--json', metavar='FILE', help='also write the figures to FILE, as JSON')
    args = parser.parse_args()
    context, found = multiprocessing.get_context('fork'), {}
    for images in sorted(args.images):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / 'data'
            write_stand_ins(folder, images)
            for row in rows(folder, images):
                receiver, answer = context.Pipe(duplex=False)
                process = context.Process(target=measured, args=(row, folder, images, answer))
                process.start()
                answer.close()
                found.setdefault(row, {})[images] = receiver.recv()
                process.join()
    print(table(found))
    if args.json:
        write_json(args.json, found)


def table(found: dict[str, dict[int, dict]]) -> str:
    """Return the figures as text."""
    counts = list(next(iter(found.values())))
    lines = [['', *(f'{count:,} images' for count in counts), 'an image']]
    for row, figures in found.items():
        cells = [f'{figures[count]["seconds"]:.2f} s, {figures[count]["mib"]:.0f} MiB' for count in counts]
        slope = ''
        if len(counts) > 1:
            *_, one, other = counts
            more = [figures[other][key] - figures[one][key] for key in ('seconds', 'mib')]
            slope = f'{1e6 * more[0] / (other - one):.1f} us, {2**20 * more[1] / (other - one):.0f} B'
        lines.append([row, *cells, slope])
    return AsciiTable(lines).table


if __name__ == '__main__':
    main()

"""Writer of the files of MiniCity. It is atomic and resumable, and its files do not depend on the number of workers."""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE
from mmuda.datasets.image_files import is_whole_png
from mmuda.files import write_atomically
from mmuda.label_png import label_png
from mmuda.progress import progress

from .classes import RAW_IDS
from .layout import Sample, list_samples
from .manifest import claim_root
from .renderer import render
from .towns import DOMAINS, VERSION, get_town


def write_minicity(
    root: str | os.PathLike = 'data/minicity',
    num_source: int = 400,
    num_target: int = 400,
    num_val: int = 200,
    size: tuple[int, int] = (128, 64),
    seed: int = 0,
    workers: int = 0,
    oracle_labels: bool = False,
    overwrite: bool = False,
    version: int = VERSION,
) -> Path:
    """Write the files of MiniCity that do not exist yet.

    ``source/`` has the layout of GTA5 (RGB PNG files, palette PNG files with raw ids). ``target/`` has that of
    Cityscapes (``leftImg8bit``, and ``gtFine/*_gtFine_labelIds.png`` for val). If all files exist, nothing is written.
    After an interruption, the same call continues where it stopped.

    Args:
        root: Folder to write to.
        num_source: Number of source images, at most 99999.
        num_target: Number of target training images.
        num_val: Number of target validation images.
        size: (W, H) of the images in pixels, each at least 32.
        seed: Seed of the data set.
        workers: Number of processes; 0 renders in the present one. The files do not depend on it.
        oracle_labels: Also write labels of the target training images, for an oracle (an upper bound). They can be
            added to a MiniCity that has none, and are kept in one that has them.
        overwrite: First delete an existing MiniCity.
        version: Version of the looks; see :mod:`towns`. The streets are the same in all versions.

    Returns:
        The root.

    Raises:
        ValueError: If a count, the size, the seed, the number of workers or the version is out of range.
        FileExistsError: If ``root`` has a MiniCity with other settings, or other data in the folders of MiniCity.
    """
    _check_arguments(num_source, num_target, num_val, size, seed, workers)
    get_town(version, DOMAINS[0])  # raises for an unknown version
    root = Path(root)
    settings = dict(
        version=version,
        seed=seed,
        size=list(size),
        num_source=num_source,
        num_target=num_target,
        num_val=num_val,
        oracle_labels=oracle_labels,
    )
    claim_root(root, settings, overwrite)
    samples = list_samples(num_source, num_target, num_val, oracle_labels)
    missing = [sample for sample in samples if not all(is_whole_png(root / file) for file in sample.files)]
    if missing:
        _write_samples(root, missing, dict(seed=seed, size=tuple(size), version=version), workers)
    return root


def _check_arguments(
    num_source: int, num_target: int, num_val: int, size: tuple[int, int], seed: int, workers: int
) -> None:
    counts = dict(num_source=num_source, num_target=num_target, num_val=num_val)
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f'{name} must be at least 1, got {count}')
    if num_source > 99999:
        raise ValueError(f'num_source must be at most 99999 (five digits), got {num_source}')
    if len(size) != 2 or min(size) < 32:
        raise ValueError(f'size must be (W, H) of at least 32 pixels each, got {tuple(size)}')
    for name, value in dict(seed=seed, workers=workers).items():
        if value < 0:
            raise ValueError(f'{name} must not be negative, got {value}')


def _palette() -> list[list[int]]:
    """Return 256 RGB colours by raw id: those of Cityscapes, and black for ignored ids."""
    palette = np.zeros((256, 3), np.uint8)
    for name, colour in zip(CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, strict=True):
        palette[RAW_IDS[name]] = colour
    return palette.tolist()


def _write_sample(sample: Sample, root: Path, options: dict[str, Any], palette: list[list[int]]) -> None:
    image, ids = render(sample.domain, split=sample.split, index=sample.index, **options)
    if not is_whole_png(root / sample.image):  # the image can be complete and only the label missing
        write_atomically(root / sample.image, cv2.imencode('.png', image[..., ::-1])[1].tobytes())
    if sample.label is not None:
        # Label files of GTA5 have a palette, those of Cityscapes have none.
        write_atomically(root / sample.label, label_png(ids, palette if sample.domain == 'source' else None))


def _write_samples(root: Path, samples: list[Sample], options: dict[str, Any], workers: int) -> None:
    write = partial(_write_sample, root=root, options=options, palette=_palette())
    with _results(write, samples, workers) as results:
        for _ in progress(results, len(samples), f'MiniCity in {root}'):
            pass


@contextmanager
def _results(write: partial, samples: list[Sample], workers: int) -> Iterator[Iterator[None]]:
    """Yield the results of ``write`` for all samples, in any order, and end the processes afterwards."""
    if workers == 0:
        yield map(write, samples)
        return
    # A forked process must not inherit OpenCV's thread pool, because threads do not survive a fork.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        with multiprocessing.get_context(_start_method()).Pool(workers) as pool:
            yield pool.imap_unordered(write, samples, chunksize=8)
    finally:
        cv2.setNumThreads(threads)


def _start_method() -> str:
    # Spawned processes would first import PyTorch, which takes longer than rendering all images.
    return 'fork' if sys.platform == 'linux' else 'spawn'

"""Writing MiniCity to disk: atomic, resumable, the same for any number of workers."""

import io
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log
from mmengine.utils import ProgressBar
from PIL import Image

from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE

from .classes import RAW_IDS
from .layout import Sample, list_samples
from .manifest import claim_root
from .renderer import render
from .towns import DOMAINS, VERSION, get_town

_PNG_END = b'IEND\xaeB`\x82'
_SECONDS_BETWEEN_LINES = 15.0


def write_minicity(
    root: str | os.PathLike = 'data/minicity',
    num_source: int = 400,
    num_target: int = 400,
    num_val: int = 100,
    size: tuple[int, int] = (128, 64),
    seed: int = 0,
    workers: int = 0,
    oracle_labels: bool = False,
    overwrite: bool = False,
    version: int = VERSION,
) -> Path:
    """Write MiniCity, or what is still missing of it.

    ``source/`` has the layout of GTA5 (RGB PNG, palette PNG with raw ids) and ``target/`` that of
    Cityscapes (``leftImg8bit``, ``gtFine/*_gtFine_labelIds.png`` for val). Where everything is
    there already, nothing is written; a run that was killed goes on where it stopped.

    Args:
        root (str | os.PathLike): Folder to write to.
        num_source (int): Number of source images.
        num_target (int): Number of target training images.
        num_val (int): Number of target validation images.
        size (tuple[int, int]): (W, H) of the images in pixels, each at least 32.
        seed (int): Seed of the data set.
        workers (int): Number of processes; 0 renders in this one. Has no influence on the result.
        oracle_labels (bool): Write labels of the target training images too, for upper bounds.
        overwrite (bool): Delete a MiniCity that is there first.
        version (int): Version of the looks, see :mod:`towns`; the streets are the same in all.

    Returns:
        Path: The root.

    Raises:
        ValueError: For a count, size, seed, number of workers or version that makes no sense.
        FileExistsError: If ``root`` holds another MiniCity, or other data in its place.
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
    missing = [sample for sample in samples if not all(_is_whole_png(root / file) for file in sample.files)]
    if missing:
        for folder in sorted({(root / file).parent for sample in missing for file in sample.files}):
            folder.mkdir(parents=True, exist_ok=True)
        _write_samples(root, missing, dict(seed=seed, size=tuple(size), version=version), workers)
    return root


def _check_arguments(
    num_source: int, num_target: int, num_val: int, size: tuple[int, int], seed: int, workers: int
) -> None:
    counts = dict(num_source=num_source, num_target=num_target, num_val=num_val)
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f'{name} must be at least 1, got {count}.')
    if num_source > 99999:
        raise ValueError(f'num_source must be at most 99999 (five digits), got {num_source}.')
    if len(size) != 2 or min(size) < 32:
        raise ValueError(f'size must be (W, H) of at least 32 pixels each, got {tuple(size)}.')
    for name, value in dict(seed=seed, workers=workers).items():
        if value < 0:
            raise ValueError(f'{name} must not be negative, got {value}.')


def _is_whole_png(path: Path) -> bool:
    """Tell whether a PNG is there and ends as a PNG does."""
    try:
        with open(path, 'rb') as file:
            file.seek(-len(_PNG_END), os.SEEK_END)
            return file.read() == _PNG_END
    except OSError:
        return False


def _write_atomically(path: Path, content: bytes) -> None:
    # The temporary name is fixed, so that a run which goes on after a kill takes over its leftover.
    # A second writer of the same root may have moved it already; it writes the same bytes.
    temporary = path.with_name(f'.{path.name}.tmp')
    temporary.write_bytes(content)
    try:
        os.replace(temporary, path)
    except FileNotFoundError:
        if not path.exists():
            raise


def _palette() -> list[int]:
    """Cityscapes' colours by raw id, as a flat list of 256 RGB triples; void is black."""
    palette = np.zeros((256, 3), np.uint8)
    for name, colour in zip(CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, strict=True):
        palette[RAW_IDS[name]] = colour
    return palette.ravel().tolist()


def _encode(array: np.ndarray, palette: list[int] | None = None) -> bytes:
    picture = Image.fromarray(array)
    if palette is not None:
        picture.putpalette(palette)
    buffer = io.BytesIO()
    picture.save(buffer, format='PNG', compress_level=4)
    return buffer.getvalue()


def _write_sample(sample: Sample, root: Path, options: dict[str, Any], palette: list[int]) -> None:
    image, ids = render(sample.domain, split=sample.split, index=sample.index, **options)
    _write_atomically(root / sample.image, _encode(image))
    if sample.label is not None:
        _write_atomically(root / sample.label, _encode(ids, palette if sample.domain == 'source' else None))


def _write_samples(root: Path, samples: list[Sample], options: dict[str, Any], workers: int) -> None:
    write = partial(_write_sample, root=root, options=options, palette=_palette())
    start = time.monotonic()
    with _results(write, samples, workers) as results:
        _report(results, len(samples), root)
    seconds = max(time.monotonic() - start, 1e-6)
    print_log(
        f'MiniCity: wrote {len(samples)} images to {root} in {seconds:.1f} s ({len(samples) / seconds:.0f} images/s).',
        logger='current',
    )


@contextmanager
def _results(write: partial, samples: list[Sample], workers: int) -> Iterator[Iterator]:
    if workers == 0:
        yield map(write, samples)
        return
    # A forked child must not inherit OpenCV's thread pool, whose threads do not survive the fork.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        with multiprocessing.get_context(_start_method()).Pool(workers) as pool:
            yield pool.imap_unordered(write, samples, chunksize=8)
    finally:
        cv2.setNumThreads(threads)


def _start_method() -> str:
    # Spawned processes would import PyTorch first, which takes longer than rendering everything.
    return 'fork' if sys.platform == 'linux' else 'spawn'


def _report(results: Iterator, total: int, root: Path) -> None:
    """Draw the results; show a bar on a terminal, a line now and then in a log."""
    if sys.stdout.isatty():
        bar = ProgressBar(total)
        for _ in results:
            bar.update()
        print()
        return
    print_log(f'MiniCity: writing {total} images to {root} ...', logger='current')
    start = last = time.monotonic()
    for done, _ in enumerate(results, start=1):
        now = time.monotonic()
        if now - last > _SECONDS_BETWEEN_LINES and done < total:
            rate = done / (now - start)
            print_log(
                f'MiniCity: {done}/{total}, {rate:.0f} images/s, ETA {(total - done) / rate:.0f} s', logger='current'
            )
            last = now

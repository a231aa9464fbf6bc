"""Sizes and formats of images, from their headers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from mmuda.datasets import tiff
from mmuda.datasets.cache import map_in_threads
from mmuda.datasets.image_files import image_size, open_image

HEADERS = 5000
"""Largest number of files whose headers are read."""

T = TypeVar('T')


@dataclass
class Survey:
    """Sizes and formats of some files.

    Attributes:
        total: Number of files.
        looked_at: Number of files that were opened.
        sizes: (n, 2) int, width and height in pixels.
        formats: Number of files by format and mode of their pixels, such as ``('PNG', 'RGB')``.
        unreadable: Files that are not images.
    """

    total: int
    looked_at: int
    sizes: np.ndarray
    formats: Counter = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    @property
    def smallest(self) -> tuple[int, int]:
        """Smallest width and smallest height, possibly of different files."""
        return tuple(self.sizes.min(axis=0).tolist())

    @property
    def median(self) -> tuple[int, int]:
        """Median of the widths and of the heights."""
        return tuple(np.median(self.sizes, axis=0).astype(int).tolist())

    @property
    def largest(self) -> tuple[int, int]:
        """Largest width and largest height, possibly of different files."""
        return tuple(self.sizes.max(axis=0).tolist())

    @property
    def is_uniform(self) -> bool:
        """Whether all files that were opened have one size."""
        return self.smallest == self.largest


def evenly(items: Sequence[T], number: int | None) -> list[T]:
    """Return some items, evenly spread over all; for None, all items."""
    if number is None or number >= len(items):
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, number).astype(int)]


def survey(paths: Sequence[str], headers: int = HEADERS) -> Survey:
    """Read the headers of images.

    Args:
        paths: Absolute paths.
        headers: Largest number of files to open, evenly spread over all.

    Raises:
        OSError: If no opened file is an image.
    """
    chosen = evenly(paths, headers)
    looks = list(map_in_threads(_header, chosen))
    sizes = [look[0] for look in looks if look is not None]
    unreadable = [path for path, look in zip(chosen, looks, strict=True) if look is None]
    if not sizes:
        raise OSError(f'none of {len(chosen)} files is an image that can be read, as {chosen[0]}')
    formats = Counter(look[1:] for look in looks if look is not None)
    return Survey(len(paths), len(chosen), np.array(sizes), formats, unreadable)


def _header(path: str) -> tuple[tuple[int, int], str, str] | None:
    try:
        size = image_size(path)
    except (OSError, SyntaxError, ValueError):
        return None
    try:
        with open(path, 'rb') as file, open_image(file) as image:
            return size, image.format or '?', image.mode
    except (OSError, SyntaxError, ValueError):
        return size, *_kind(path)


def _kind(path: str) -> tuple[str, str]:
    """Return format and mode of an image that Pillow cannot read."""
    with open(path, 'rb') as file:
        try:
            return 'TIFF', f'of {tiff.read_header(file)}'
        except ValueError:
            return Path(path).suffix.lower(), 'which Pillow does not read'

"""Options to read images with other pixels than 8-bit grey values or colours: bands, and values of black and white."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmuda.datasets.image_windows import Window
from mmuda.datasets.transforms import LoadDomainImage

from .survey import Survey, evenly

IMAGES = 6
"""Number of images whose pixels are read."""

SIDE = 2048
"""Height and width of the window that is read, for formats of which a window can be read."""

COLOURS = (0, 1, 2)
_BOUNDS = (1, 255, 1023, 4095, 16383, 65535)

PLAIN = frozenset({'RGB', 'RGBA', 'L', 'P', 'LA', '1', 'CMYK', 'YCbCr'})
"""Modes of Pillow whose images need no options."""


@dataclass(frozen=True)
class Reading:
    """Options of ``LoadDomainImage``; none for common images.

    Attributes:
        bands: Indices of the bands to read; None reads all.
        value_range: Values that become 0 and 255; None keeps the values.
    """

    bands: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None

    @property
    def options(self) -> str:
        """The arguments as text: ``, bands=(0, 1, 2), value_range=(0, 4095), to_uint8=True``, or nothing."""
        bands = '' if self.bands is None else f', bands={self.bands}'
        return bands if self.value_range is None else f'{bands}, value_range={self.value_range}, to_uint8=True'


def find_reading(paths: Sequence[str], images: Survey) -> Reading:
    """Return how to read images, from the pixels of some of them; common images need no options and are not read.

    Of more than three bands, the first three are used. If some images have fewer than three, and not all have one or
    three, only the first band is used. Values of other types than bytes are scaled to bytes: from 0 to the largest
    value of the next common number of bits, or, if some are negative or above 65535, from the smallest to the largest
    value. Damaged images are skipped.

    Args:
        paths: Absolute paths of the images.
        images: Their formats.
    """
    if all(mode in PLAIN for _, mode in images.formats):
        return Reading()
    load = LoadDomainImage(color_type='unchanged', nan=0.0)
    looks = [look for look in (_look(load, path) for path in evenly(paths, IMAGES)) if look is not None]
    if not looks:
        return Reading()
    counts = {look.shape[2] for look in looks}
    bands = None if counts <= {1, 3} else COLOURS if min(counts) >= len(COLOURS) else (0, 0, 0)
    if all(look.dtype == np.uint8 for look in looks):
        return Reading(bands)
    seen = [look[..., : len(COLOURS)] for look in looks]
    low, high = min(float(look.min()) for look in seen), max(float(look.max()) for look in seen)
    if low < 0 or high > _BOUNDS[-1]:
        return Reading(bands, (float(np.floor(low)), float(np.ceil(high))))
    return Reading(bands, (0, next(bound for bound in _BOUNDS if high <= bound)))


def _look(load: LoadDomainImage, path: str) -> np.ndarray | None:
    """Return the middle of an image (h, w, C), or the whole image if its format has no windows; None if damaged."""
    try:
        return _middle(load, path)
    except OSError:
        return None


def _middle(load: LoadDomainImage, path: str) -> np.ndarray:
    reader = load.open(path)
    if reader is None:
        return load.read(path)
    top, left = (max(0, length - SIDE) // 2 for length in reader.size)
    return load.read_window(reader, Window(top, top + SIDE, left, left + SIDE), path)

"""A random scale, and a random crop of a fixed size, as in the last training stages of FADA and SDCA."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.constants import IGNORE_INDEX

from .checks import check_image, check_label, record_resize
from .draws import Draws, NumPyDraws
from .pillow_resize import pillow_resize


def plan_scale(shape: tuple[int, int], factors: tuple[float, float], draws: Draws) -> tuple[int, int]:
    """Return the size (h, w) to which an image is scaled: its size times a random factor, truncated to whole pixels.

    Args:
        shape: (H, W) of the image.
        factors: Smallest and largest factor. The drawn one is smallest + u * (largest - smallest), u in [0, 1).
        draws: Source of random numbers; one fraction is drawn.
    """
    factor = factors[0] + (factors[1] - factors[0]) * draws.fraction(1)
    height, width = (max(1, int(length * factor)) for length in shape)
    return height, width


class CropWindow(NamedTuple):
    """Position of a crop in a padded image.

    Attributes:
        padding: Rows that are added both at the top and at the bottom, and columns that are added both at the left and
            at the right.
        padded: (H, W) of the padded image.
        corner: (row, column) of the first pixel of the crop in the padded image.
        size: (h, w) of the crop.
    """

    padding: tuple[int, int]
    padded: tuple[int, int]
    corner: tuple[int, int]
    size: tuple[int, int]


def plan_window(shape: tuple[int, int], size: tuple[int, int], draws: Draws) -> CropWindow:
    """Return a random crop of an image, which depends only on the arguments and on the drawn row and column.

    A side that is too short by d pixels is padded by d pixels at both ends, so that the image can be anywhere in the
    crop.

    Args:
        shape: (H, W) of the image.
        size: (h, w) of the crop.
        draws: Source of random numbers. The row is drawn before the column.
    """
    (top, height, row), (left, width, column) = (
        _along(length, wanted, draws) for length, wanted in zip(shape, size, strict=True)
    )
    return CropWindow((top, left), (height, width), (row, column), (size[0], size[1]))


def _along(length: int, wanted: int, draws: Draws) -> tuple[int, int, int]:
    """Return the padding, the padded length and the first pixel of the crop along one axis."""
    padding = max(0, wanted - length)
    padded = length + 2 * padding
    return padding, padded, draws.integer(0, padded - wanted + 1)


def cut_window(array: np.ndarray, window: CropWindow, border: int) -> np.ndarray:
    """Cut the crop out of an image. Only the padding that lies in the crop is made.

    Args:
        array: (H, W) or (H, W, C) uint8.
        window: Position of the crop.
        border: Value outside of the image.

    Returns:
        (h, w) or (h, w, C), contiguous.
    """
    top, left = (start - added for start, added in zip(window.corner, window.padding, strict=True))
    bottom, right = (start + length for start, length in zip((top, left), window.size, strict=True))
    height, width = array.shape[:2]
    inside = array[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    margins = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    if not any(margins):
        return np.ascontiguousarray(inside)
    return cv2.copyMakeBorder(inside, *margins, borderType=cv2.BORDER_CONSTANT, value=(border,) * 4)


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """A transform that scales image and labels by one random factor with Pillow: bicubic, and nearest for labels.

    Needs ``img`` (H, W, 3) uint8. Changes it and the labels in ``seg_fields`` (H, W) uint8, ``img_shape`` (h, w),
    ``scale`` (w, h), ``scale_factor`` (w, h) and ``keep_ratio``, as mmcv's ``Resize`` does. The last stages of FADA and
    SDCA scale the original images by factors from 0.5 to 1.5.

    Args:
        range: Smallest and largest factor.
        draws: Source of random numbers; NumPy's global generator by default.

    Raises:
        ValueError: If a factor is not positive. For an image: if a label has another size.
        TypeError: For an image: if it is not (H, W, 3) uint8, or a label is not uint8.
    """

    def __init__(
        self, range: Sequence[float] = (0.5, 1.5), draws: Draws | None = None
    ) -> None:  # configs have the key range
        if len(range) != 2 or not 0 < range[0] <= range[1]:
            raise ValueError(f'range must be (smallest, largest) with 0 < smallest <= largest, but got {range!r}')
        self.range = float(range[0]), float(range[1])
        self.draws: Draws = draws or NumPyDraws()

    def transform(self, results: dict) -> dict:
        """Scale ``results['img']`` and the labels."""
        _check(results, self)
        shape = results['img'].shape[:2]
        height, width = plan_scale(shape, self.range, self.draws)
        results['img'] = pillow_resize(results['img'], (width, height), 'bicubic')
        for key in results.get('seg_fields', []):
            results[key] = pillow_resize(results[key], (width, height), 'nearest')
        record_resize(results, shape)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(range={self.range})'


@TRANSFORMS.register_module()
class PadCrop(BaseTransform):
    """Random crop of a fixed size. Outside of the image it is black, and ignored in labels.

    A side that is too short is padded at both ends by all missing pixels, so that the image can be anywhere in the crop
    (mmseg's ``RandomCrop`` does not pad). Needs ``img`` (H, W, 3) uint8 and changes it, the labels in ``seg_fields``
    (H, W) uint8 and ``img_shape`` (h, w).

    Args:
        size: (h, w) of the crop in pixels.
        pad_value: Value of all channels outside of the image. FADA and SDCA use 0 (black) and pad before normalisation.
        draws: Source of random numbers; NumPy's global generator by default.

    Raises:
        ValueError: If a side is not positive, or ``pad_value`` is not in 0..255. For an image: if a label has another
            size.
        TypeError: For an image: if it is not (H, W, 3) uint8, or a label is not uint8.
    """

    def __init__(self, size: tuple[int, int], pad_value: int = 0, draws: Draws | None = None) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'size must be (height, width), both at least 1 pixel, but got {size!r}')
        if not 0 <= pad_value <= 255:
            raise ValueError(f'pad_value must be in 0..255, but got {pad_value}')
        self.size, self.pad_value = (size[0], size[1]), pad_value
        self.draws: Draws = draws or NumPyDraws()

    def transform(self, results: dict) -> dict:
        """Crop ``results['img']`` and the labels."""
        _check(results, self)
        window = plan_window(results['img'].shape[:2], self.size, self.draws)
        results['img'] = cut_window(results['img'], window, self.pad_value)
        for key in results.get('seg_fields', []):
            results[key] = cut_window(results[key], window, IGNORE_INDEX)
        results['img_shape'] = self.size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, pad_value={self.pad_value})'


def _check(results: dict, step: BaseTransform) -> None:
    check_image(results, step)
    for key in results.get('seg_fields', []):
        check_label(results, step, key)

"""Resizing with Pillow and a filter that depends on the change of size, as CBST resizes every image."""

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.resampling import auto_filter

from .checks import check_image, record_resize


def pillow_resize(array: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize an image or a label with Pillow, which applies antialiasing when it shrinks an image.

    Args:
        array: (H, W, 3) uint8 with the channels in any order, or (H, W) uint8.
        size: (width, height).
        interpolation: ``'nearest'``, ``'bilinear'``, ``'bicubic'`` or ``'lanczos'``.

    Returns:
        (height, width, 3) or (height, width) uint8; the array itself if it has that size already.
    """
    if array.shape[1::-1] == tuple(size):
        return array
    return mmcv.imresize(array, tuple(size), interpolation=interpolation, backend='pillow')


@TRANSFORMS.register_module()
class ResizeLongSide(BaseTransform):
    """A transform that resizes an image so that its longer side has the given length, as CBST does in tests.

    The other side is ``length * short / long``, where halves are rounded to the even neighbour. The filter is that of
    :func:`~mmuda.resampling.auto_filter`. An image that already has the length is not changed. Labels keep their size,
    because predictions are evaluated at the size of the file.

    Needs ``img`` (H, W, 3) uint8. Changes ``img``, ``img_shape`` (h, w), ``scale``, ``scale_factor`` (w, h) and
    ``keep_ratio``, as mmcv's ``Resize``.

    Args:
        length: Length of the longer side in pixels (CBST: 1850 for pseudo labels, 2048 for evaluation).

    Raises:
        TypeError: For an image: if it is not (H, W, 3) uint8.
        ValueError: If the length is not a positive integer.
    """

    def __init__(self, length: int) -> None:
        if not isinstance(length, int) or length < 1:
            raise ValueError(f'length must be a positive number of pixels, but got {length!r}')
        self.length = length

    def transform(self, results: dict) -> dict:
        """Resize ``results['img']``."""
        image = check_image(results, self)
        size = height, width = image.shape[:2]
        if max(size) != self.length:
            height, width = (
                self.length if side == max(size) else max(1, round(self.length * side / max(size))) for side in size
            )
        results['img'] = pillow_resize(image, (width, height), auto_filter(size, (height, width)))
        record_resize(results, size)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(length={self.length})'

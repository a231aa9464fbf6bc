"""Resizing with Pillow, the filter chosen by the direction: how CBST resizes every image."""

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.resampling import auto_filter

from .checks import check_image, record_resize


def pillow_resize(array: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize with Pillow, which antialiases when it shrinks.

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
    """The longer side of the image becomes ``length``, the other follows: CBST's test size.

    The other side is ``length * short / long``, a half rounded to the even neighbour; the filter is that of
    :func:`auto_filter`. An image that has the length already stays as it is. Labels keep their size, as predictions
    are evaluated at the size of the file.

    Needs ``img`` (H, W, 3) uint8. Changes ``img``, ``img_shape`` (h, w), ``scale``, ``scale_factor`` (w, h) and
    ``keep_ratio``, as mmcv's ``Resize``.

    Args:
        length: Length of the longer side in pixels (CBST: 1850 to make pseudo labels, 2048 to evaluate).

    Raises:
        TypeError: If the image has another dtype or other channels.
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

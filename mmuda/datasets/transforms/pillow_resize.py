"""Resizing with Pillow, the filter chosen by the direction: how CBST resizes every image."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image

Resampling = Image.Resampling


def auto_filter(from_size: tuple[int, int], to_size: tuple[int, int]) -> Resampling:
    """CBST's choice of a filter: Lanczos if both sides shrink, bicubic if both grow, else bilinear.

    Args:
        from_size: Two sides, in any order.
        to_size: The same two sides after resizing.
    """
    if all(to < side for side, to in zip(from_size, to_size, strict=True)):
        return Resampling.LANCZOS
    if all(to > side for side, to in zip(from_size, to_size, strict=True)):
        return Resampling.BICUBIC
    return Resampling.BILINEAR


def pillow_resize(array: np.ndarray, size: tuple[int, int], filter: Resampling) -> np.ndarray:
    """Resize with Pillow, which antialiases when it shrinks.

    Args:
        array: (H, W, 3) uint8 with the channels in any order, or (H, W) uint8 or float32.
        size: (width, height).
        filter: One of Pillow's.

    Returns:
        (height, width, 3) or (height, width) of the same dtype; the array itself if it has that size already.

    Raises:
        TypeError: If shape or dtype are others. (Pillow would treat a fourth channel as opacity.)
    """
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if not (array.dtype == np.uint8 and (grey or colour) or array.dtype == np.float32 and grey):
        raise TypeError(
            f'Pillow resizes (H, W, 3) uint8 and (H, W) uint8 or float32 arrays, but got {array.shape} '
            f'{array.dtype}: load images with 8 bits and three channels (to_float32=False)'
        )
    if array.shape[1::-1] == tuple(size):
        return array
    # A copy, as PyTorch warns of what it cannot write to.
    return np.array(Image.fromarray(np.ascontiguousarray(array)).resize(tuple(size), filter))


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
        image = results['img']
        size = height, width = image.shape[:2]
        if max(size) != self.length:
            height, width = (
                self.length if side == max(size) else max(1, round(self.length * side / max(size))) for side in size
            )
        image = pillow_resize(image, (width, height), auto_filter(size, (height, width)))
        results['img'] = image
        results['img_shape'] = (height, width)
        results['scale'] = (width, height)
        results['scale_factor'] = (width / size[1], height / size[0])
        results['keep_ratio'] = True
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(length={self.length})'

"""Crop of FDA's released code."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.datasets.transforms.checks import check_image, check_label
from mmuda.datasets.transforms.draws import Draws, NumPyDraws


@TRANSFORMS.register_module()
class OpenCrop(BaseTransform):
    """Cut a random window of a fixed size; the last possible place is never drawn.

    The released code of FDA crops source images in this way: the column is drawn below W - w, then the row below H - h.
    ``RandomClassCrop`` draws all places.

    Needs ``img`` (H, W, 3) uint8; changes it, the labels in ``seg_fields`` and ``img_shape`` (h, w).

    Args:
        size: (h, w) of the window in pixels.
        draws: Generator of random numbers, see :class:`Draws`; NumPy's global generator by default.

    Raises:
        ValueError: If an image is smaller than the window, or its label has another size. Raised by ``transform``.
        TypeError: If an image or a label is not uint8. Raised by ``transform``.
    """

    def __init__(self, size: tuple[int, int], draws: Draws | None = None) -> None:
        self.size = (size[0], size[1])
        self.draws: Draws = draws or NumPyDraws()

    def transform(self, results: dict) -> dict:
        """Return the results, with ``img`` and the labels cut."""
        height, width = check_image(results, self).shape[:2]
        h, w = self.size
        if height < h or width < w:
            raise ValueError(
                f'OpenCrop: {results.get("img_path")} has size {(height, width)} (H, W), smaller than the window '
                f'{self.size}: resize the image before'
            )
        left = self.draws.integer(0, max(1, width - w))
        top = self.draws.integer(0, max(1, height - h))
        for key in results.get('seg_fields', []):
            results[key] = np.ascontiguousarray(check_label(results, self, key)[top : top + h, left : left + w])
        results['img'] = np.ascontiguousarray(results['img'][top : top + h, left : left + w])
        results['img_shape'] = self.size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'

"""A map of the pixels whose predictions may become pseudo labels goes through the pipeline with its image."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, to_tensor
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS

from ..untrusted_borders import Border, get_border

TRUSTED = 'trusted_map'
"""Key of the map among the results of a pipeline."""


@TRANSFORMS.register_module()
class LoadTrustedPixels(BaseTransform):
    """Add a map that is 0 at the border of the image, where the data set does not trust predictions.

    Place it right behind the loading of the image. Transforms resize, crop and flip the map as they do labels;
    :class:`PackDomainInputs` hands it to teacher-student methods, which give pseudo labels no weight there.

    Needs ``img_shape`` (H, W). Adds ``trusted_map`` (H, W) uint8, 1 inside and 0 in the border, and its name to
    ``seg_fields``.

    Args:
        border: Name of a border (``'cityscapes'``, ``'cityscapes_rows'``, ``'acdc_rows'``), or ``dict(top=...,
            bottom=..., left=..., right=...)`` in pixels, with ``size=(H, W)`` if images may be smaller copies.

    Raises:
        ValueError: If there is no such border. When an image comes: if it has been resized or cropped before.
    """

    def __init__(self, border: str | Mapping | Border) -> None:
        self.border = get_border(border)

    def transform(self, results: dict) -> dict:
        """Add the map of ``results['img']``."""
        height, width = results['img_shape'][:2]
        if tuple(results.get('ori_shape', (height, width))[:2]) != (height, width):
            raise ValueError(
                f'{results.get("img_path")}: the border is counted in pixels of the file, but the image has another '
                'size already: place LoadTrustedPixels right behind the loading of the image'
            )
        trusted = np.zeros((height, width), np.uint8)
        trusted[self.border.of((height, width))] = 1
        results[TRUSTED] = trusted
        results.setdefault('seg_fields', []).append(TRUSTED)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(border={self.border})'


@TRANSFORMS.register_module()
class PackDomainInputs(PackSegInputs):
    """mmseg's ``PackSegInputs``, which also packs the map of :class:`LoadTrustedPixels`.

    The map becomes ``data_samples.trusted``, (1, H, W) uint8.
    """

    def transform(self, results: dict) -> dict[str, Any]:
        """Pack the image, its label and the map, whichever are there."""
        packed = super().transform(results)
        if TRUSTED in results:
            data = to_tensor(np.ascontiguousarray(results[TRUSTED])[None])
            packed['data_samples'].trusted = PixelData(data=data)
        return packed

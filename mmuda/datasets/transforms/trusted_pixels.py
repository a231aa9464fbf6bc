"""A map of the trusted pixels, where predictions can become pseudo labels. Pipelines transform it with the image."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, to_tensor
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS

from ..untrusted_borders import Border, get_border

TRUSTED = 'trusted_map'
"""Key of the map in a sample."""

BORDER_OF = ('file', 'crop')


@TRANSFORMS.register_module()
class LoadTrustedPixels(BaseTransform):
    """A transform that adds a map, 0 at the border of the image, where predictions should not become pseudo labels.

    Put this step directly after the loading of the image. Later steps resize, crop and flip the map like a label. With
    ``of='crop'`` it belongs behind the crop instead.
    :class:`PackDomainInputs` passes it on to teacher-student methods, which give pseudo labels no weight where it is 0.

    Needs ``img_shape`` (H, W). Adds ``trusted_map`` (H, W) uint8, 1 inside and 0 in the border, and its name to
    ``seg_fields``.

    Args:
        border: Name of a border (``'cityscapes'``, ``'cityscapes_rows'``, ``'crop_rows'``), or ``dict(top=...,
            bottom=..., left=..., right=...)`` in pixels, with ``size=(H, W)`` of the published images if images can be
            smaller copies; see :class:`~mmuda.datasets.untrusted_borders.Border`.
        of: What the border is a border of: the ``'file'``, or the ``'crop'``, wherever that lies in the image (as in
            the released code of DAFormer).

    Raises:
        ValueError: If there is no such border, ``of`` is unknown, or the border is not one of a file or crop. For an
            image: if it was resized or cropped before, or, with ``of='crop'``, if nothing is left of a crop.
    """

    def __init__(self, border: str | Mapping | Border, of: str = 'file') -> None:
        if of not in BORDER_OF:
            raise ValueError(f'LoadTrustedPixels: of={of!r}, expected one of {BORDER_OF}')
        self.border, self.of = get_border(border), of
        if of == 'crop' and self.border.size is not None:
            raise ValueError(
                f"LoadTrustedPixels: of='crop' needs a border in pixels of the crop, but border={border!r} belongs to "
                f"images of {self.border.size} (H, W): use border='crop_rows', or dict(top=..., bottom=...)"
            )
        if border == 'crop_rows' and of != 'crop':
            raise ValueError(
                "LoadTrustedPixels: border='crop_rows' counts rows of a crop: set of='crop', behind the crop"
            )

    def transform(self, results: dict) -> dict:
        """Add the map of ``results['img']``."""
        height, width = results['img_shape'][:2]
        if self.of == 'file' and tuple(results.get('ori_shape', (height, width))[:2]) != (height, width):
            raise ValueError(
                f'{results.get("img_path")}: the border is counted in pixels of the file, but the image has another '
                'size already: put LoadTrustedPixels directly after the loading of the image'
            )
        trusted = np.zeros((height, width), np.uint8)
        trusted[self.border.of((height, width))] = 1
        if self.of == 'crop' and not trusted.any():
            raise ValueError(
                f'{results.get("img_path")}: the crop has {(height, width)} (H, W), of which {self.border} leaves '
                'nothing, so that no pixel would get a pseudo label: use larger crops or a smaller border'
            )
        results[TRUSTED] = trusted
        results.setdefault('seg_fields', []).append(TRUSTED)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(border={self.border}, of={self.of!r})'


@TRANSFORMS.register_module()
class PackDomainInputs(PackSegInputs):
    """mmseg's ``PackSegInputs``, which also packs the map of :class:`LoadTrustedPixels`.

    The map becomes ``data_samples.trusted``, (1, H, W) uint8.
    """

    def transform(self, results: dict) -> dict[str, Any]:
        """Pack the image, and the label and the map if there are any."""
        packed = super().transform(results)
        if TRUSTED in results:
            data = to_tensor(np.ascontiguousarray(results[TRUSTED])[None])
            packed['data_samples'].trusted = PixelData(data=data)
        return packed

"""Head of HRDA: one segmentation head for both resolutions, and attention that weighs them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor

from .fusion import fuse
from .windows import Box, join_windows


class HRDALogits(NamedTuple):
    """Logits of both resolutions.

    Attributes:
        fused: (N, C, H, W), at the stride of the head.
        context: (N, C, h, w), attenuated by the attention, see :func:`fuse`.
        detail: (N, C, h', w') of the crop, or of all windows together.
    """

    fused: Tensor
    context: Tensor
    detail: Tensor


@MODELS.register_module()
class HRDAHead(BaseModule):
    """Head that fuses two resolutions by attention (Hoyer et al., "HRDA", ECCV 2022, section 3.3).

    Its weights have the names of the released weights, ``head.*`` and ``scale_attention.*``.

    Args:
        head: Config of a decode head, for both resolutions.
        scale_attention: Config of a decode head that reads the context and has one channel for each class, or one for
            all. With None, ``fixed_attention`` is needed.
        stride: Side of a cell of the logits in pixels of the image: 4 for ``DAFormerHead``, 8 for ``DeepLabV2Head``.
        context_scale: Size of the context image relative to the image.
        fixed_attention: A number in place of the attention: with 0 the context counts alone, with 1 the detail.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If both attentions are given, or none of them, or a number is out of range.
    """

    def __init__(
        self,
        head: dict,
        scale_attention: dict | None = None,
        stride: int = 4,
        context_scale: float = 0.5,
        fixed_attention: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if (scale_attention is None) == (fixed_attention is None):
            raise ValueError('HRDAHead needs scale_attention or fixed_attention, one of the two')
        if not 0 < context_scale <= 1 or stride < 1:
            raise ValueError(
                f'HRDAHead: context_scale={context_scale} and stride={stride}, expected a number in (0, 1] and pixels'
            )
        self.head: Any = MODELS.build(head)
        self.scale_attention: Any = None if scale_attention is None else MODELS.build(scale_attention)
        self.stride, self.context_scale, self.fixed_attention = stride, context_scale, fixed_attention

    # Attributes that other code expects of a segmentor's decode head.

    @property
    def num_classes(self) -> int:
        """Number C of classes."""
        return self.head.num_classes

    @property
    def out_channels(self) -> int:
        """Number of channels of the logits."""
        return self.head.out_channels

    @property
    def align_corners(self) -> bool:
        """Corner convention of the enlargement."""
        return self.head.align_corners

    @property
    def in_index(self) -> int | Sequence[int]:
        """Indices of the feature maps that the head reads."""
        return self.head.in_index

    @property
    def in_channels(self) -> int | Sequence[int]:
        """Channels of these feature maps."""
        return self.head.in_channels

    @property
    def loss_decode(self) -> Any:
        """Losses of the head. Other losses than plain cross-entropy replace the loss of the method."""
        return self.head.loss_decode

    @property
    def sampler(self) -> Any:
        """Pixel sampler of the head."""
        return self.head.sampler

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Return the losses of the head on logits (N, C, h, w) of one of the resolutions."""
        return self.head.loss_by_feat(seg_logits, batch_data_samples)

    def weights_meta(self) -> dict[str, Any]:
        """Return the scale of the context, which the keys of a checkpoint do not show."""
        return dict(context_scale=self.context_scale)

    def forward(
        self, context: Sequence[Tensor], detail: Sequence[Tensor], size: Sequence[int], shown: Box | Sequence[Box]
    ) -> HRDALogits:
        """Return the logits of images.

        Args:
            context: Features of the small images, one map for each stage of the backbone.
            detail: Features of a crop, or of windows in the order of :func:`cut_windows`.
            size: (H, W) of the images in pixels.
            shown: Parts of the images that ``detail`` shows, in pixels: one crop, or windows that cover the images.

        Raises:
            ValueError: If the head has another stride than ``stride``.
        """
        place = shown if isinstance(shown, Box) else shown[0]
        small = [int(length * self.context_scale) for length in size]
        on_context = self._in_cells(self.head(context), small)
        on_detail = self._in_cells(self.head(detail), place.size)
        attention: Any = self.fixed_attention
        if self.scale_attention is not None:
            attention = self._in_cells(self.scale_attention(context), small).sigmoid()
        cells = tuple(length // self.stride for length in size)
        box = None
        if not isinstance(shown, Box):
            on_detail = join_windows(on_detail, shown, cells, self.stride)
        elif shown.size != tuple(size):
            box = shown
        fused, attenuated = fuse(
            on_context, on_detail, attention, cells, self.stride, self.context_scale, box, self.align_corners
        )
        return HRDALogits(fused, attenuated, on_detail)

    def _in_cells(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Return the logits of images of a size (H, W), resized to one cell for each ``stride`` pixels.

        Networks whose pooling rounds up, and image sizes that are no multiples of the stride, give one or two cells
        more.
        """
        cells = tuple(max(1, side // self.stride) for side in size)
        found = tuple(logits.shape[-2:])
        if found == cells:
            return logits
        if any(abs(ours - wanted) > 2 for ours, wanted in zip(found, cells, strict=True)):
            raise ValueError(
                f'HRDAHead: the logits of an image of {tuple(size)} (H, W) have size {found}, which does not fit '
                f'stride={self.stride}: set stride to that of the head'
            )
        return F.interpolate(logits, size=cells, mode='bilinear', align_corners=self.align_corners)

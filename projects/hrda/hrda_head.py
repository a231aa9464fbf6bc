"""The head of HRDA: one segmentation head for both resolutions, and attention that weighs them."""

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
        detail: (N, C, h', w'), of the crop, or of all windows together.
    """

    fused: Tensor
    context: Tensor
    detail: Tensor


@MODELS.register_module()
class HRDAHead(BaseModule):
    """Two resolutions fused by attention (Hoyer et al., "HRDA", ECCV 2022, section 3.3).

    Its weights have the names of the released ones, ``head.*`` and ``scale_attention.*``.

    Args:
        head: Config of a decode head, for both resolutions.
        scale_attention: Config of a decode head with as many classes, or one, that sees the context. None needs
            ``fixed_attention``.
        stride: Pixels of the image in a cell of the logits: 4 for ``DAFormerHead``, 8 for ``DeepLabV2Head``.
        context_scale: Size of the context image relative to the image.
        fixed_attention: A number in place of attention: 0 is the context alone, 1 the detail alone.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If both or none of the two attentions are given, or a number is out of range.
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

    # Attributes of a decode head, for those who ask a segmentor.

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
        """Places of the feature maps that the head reads."""
        return self.head.in_index

    @property
    def in_channels(self) -> int | Sequence[int]:
        """Channels of these feature maps."""
        return self.head.in_channels

    @property
    def loss_decode(self) -> Any:
        """The losses of the head, of which any but the plain one replaces that of the method."""
        return self.head.loss_decode

    @property
    def sampler(self) -> Any:
        """The sampler of pixels of the head."""
        return self.head.sampler

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Return the losses of the head on logits of either resolution."""
        return self.head.loss_by_feat(seg_logits, batch_data_samples)

    def weights_meta(self) -> dict[str, Any]:
        """Return the scale of the context: the keys of a checkpoint do not tell."""
        return dict(context_scale=self.context_scale)

    def forward(
        self, context: Sequence[Tensor], detail: Sequence[Tensor], size: Sequence[int], shown: Box | Sequence[Box]
    ) -> HRDALogits:
        """Return the logits of images.

        Args:
            context: Features of the small images, by stage.
            detail: Features of a crop, or of windows in the order of :func:`cut_windows`.
            size: (H, W) of the images in pixels.
            shown: What ``detail`` shows, in pixels: one crop, or windows that cover the images.

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
        """Return the logits of an image of a size (H, W) with one cell for each ``stride`` pixels.

        Networks whose pooling rounds up, or sides that are no multiples of the stride, give one or two cells more.
        """
        cells = tuple(max(1, side // self.stride) for side in size)
        found = tuple(logits.shape[-2:])
        if found == cells:
            return logits
        if any(abs(ours - wanted) > 2 for ours, wanted in zip(found, cells, strict=True)):
            raise ValueError(
                f'HRDAHead: an image of {tuple(size)} (H, W) has logits of {found}, but stride={self.stride}: set it '
                'to that of the head'
            )
        return F.interpolate(logits, size=cells, mode='bilinear', align_corners=self.align_corners)

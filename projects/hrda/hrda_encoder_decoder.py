"""Segmentor of HRDA: a small image for context, and crops at full resolution for details."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor

from mmuda.models import AdaptiveEncoderDecoder, RandomStream, SegOutputs

from .hrda_head import HRDALogits
from .windows import Box, cut_windows, draw_box, sliding_windows

DETAIL, CONTEXT, FUSED = 'detail', 'context', 'main'


@dataclass(frozen=True)
class HRDAOutputs(SegOutputs):
    """Outputs of one forward pass in training: fused logits are ``main``, those of the crop are ``detail``.

    Attributes:
        box: The crop, in pixels.
    """

    box: Box

    def size_of(self, level: str) -> tuple[int, int]:
        """Return the size (H, W) of the image area of a level: of the crop for ``detail``."""
        return self.box.size if level == DETAIL else super().size_of(level)

    def region(self, level: str, maps: Tensor) -> Tensor:
        """Return the part of maps (..., H, W) that a level shows: the crop for ``detail``."""
        return self.box.of(maps) if level == DETAIL else super().region(level, maps)


@MODELS.register_module()
class HRDAEncoderDecoder(AdaptiveEncoderDecoder):
    """An :class:`AdaptiveEncoderDecoder` of two resolutions (Hoyer et al., "HRDA", ECCV 2022).

    One backbone gets the whole image at a smaller scale, and details at full resolution. An :class:`HRDAHead` fuses
    both. Any method that weighs losses by level can train it. A level is a place where a head predicts.

    - In training the detail is one crop for all images of a batch, drawn again in every pass. The levels are ``detail``
      and ``main``, which is the fused one. A loss :math:`(1 - \\lambda) L_{fused} + \\lambda L_{detail}` is
      ``loss_weights=dict(seg_main=0.9, seg_detail=0.1)``. The weights of other terms, such as ``mix``, are written in
      the same way.
    - Otherwise, and in the forward mode ``'sliding'``, windows of the same size cover the images and their logits are
      averaged. There is only the level ``main``. A teacher needs this mode: ``teacher=dict(mode='sliding')``.
    - Mode ``'features'`` returns the features of the context.

    ``test_cfg=dict(mode='slide', crop_size=..., stride=...)`` slides over large images as mmseg does. Each crop then
    has its own windows of details.

    Args:
        *args: As :class:`AdaptiveEncoderDecoder`; the decode head is an :class:`HRDAHead`.
        detail_size: (h, w) of crop and windows in pixels.
        divisor: Row and column of the crop's corner are multiples of this number of pixels. None takes the size of a
            cell of the context, ``stride / context_scale``: 8 for a stride of 4, as published, and 16 for a stride of
            8. The published code has 8 there too, which puts mask and details up to 8 pixels apart.
        last_place: See :func:`draw_box`. True is the clean choice.
        overlap: Whether windows overlap by half.
        windows_at_once: Number of window images in one pass of the backbone; None takes all. Small numbers need less
            memory. The result in eval mode does not depend on it. A teacher in train mode normalises by the batch
            statistics of each pass.
        context_loss: Whether the attenuated logits of the context are a third level, ``context``.
        **kwargs: As :class:`AdaptiveEncoderDecoder`.

    Raises:
        ValueError: If there is an auxiliary head, or ``detail_size`` is no multiple of the head's stride.
    """

    decode_head: Any

    def __init__(
        self,
        *args: Any,
        detail_size: Sequence[int] = (512, 512),
        divisor: int | None = None,
        last_place: bool = False,
        overlap: bool = True,
        windows_at_once: int | None = None,
        context_loss: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if self.with_auxiliary_head:
            raise ValueError('HRDAEncoderDecoder has the levels detail and main: leave auxiliary_head out')
        if any(side % self.decode_head.stride for side in detail_size):
            raise ValueError(
                f'detail_size={tuple(detail_size)}, expected multiples of {self.decode_head.stride} pixels, the stride '
                'of the head'
            )
        self.detail_size = (detail_size[0], detail_size[1])
        self.context_scale = self.decode_head.context_scale  # known without the head, too
        self.divisor = divisor or round(self.decode_head.stride / self.context_scale)
        self.last_place = last_place
        self.overlap, self.windows_at_once, self.context_loss = overlap, windows_at_once, context_loss
        self.random = RandomStream('detail crop')

    def forward(self, inputs: Tensor, data_samples: SampleList | None = None, mode: str = 'tensor') -> Any:
        """Run a mode of :class:`AdaptiveEncoderDecoder`, or ``'sliding'``, which is ``'outputs'`` without a crop."""
        if mode == 'sliding':
            return self.sliding_outputs(inputs)
        return super().forward(inputs, data_samples, mode)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the backbone alone: its images always have the same two sizes, but each pass has another crop."""
        self.backbone.compile(*args, **kwargs)

    def outputs(self, inputs: Tensor, logits: bool = True) -> SegOutputs:
        """Return the features of the context and the logits of every level, without upsampling.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            logits: False runs neither details nor heads.
        """
        if not logits:
            return self._outputs(inputs, {}, self.extract_feat(self.context_images(inputs)))
        if not self.training:
            return self.sliding_outputs(inputs)
        context = self.extract_feat(self.context_images(inputs))
        box = self.draw_box(inputs)
        found = self.decode_head(context, self.extract_feat(box.of(inputs)), inputs.shape[-2:], box)
        levels = {DETAIL: found.detail, FUSED: found.fused}
        if self.context_loss:
            levels = {CONTEXT: found.context, **levels}
        return self._outputs(inputs, levels, context, box)

    def sliding_outputs(self, inputs: Tensor) -> SegOutputs:
        """Return the features of the context and fused logits, with details of the whole images (N, 3, H, W)."""
        context = self.extract_feat(self.context_images(inputs))
        return self._outputs(inputs, {FUSED: self._slide(inputs, context).fused}, context)

    @property
    def level_groups(self) -> dict[str, str]:
        """For each level, the name that the keys of its loss weights have: its own."""
        levels = [CONTEXT, DETAIL, FUSED] if self.context_loss else [DETAIL, FUSED]
        return {level: level for level in levels}

    def context_images(self, inputs: Tensor) -> Tensor:
        """Return the small images of the context, (N, 3, H * scale, W * scale)."""
        # The scale, and not the rounded size, decides where an odd image is sampled.
        return F.interpolate(inputs, scale_factor=self.context_scale, mode='bilinear', align_corners=False)

    def draw_box(self, inputs: Tensor) -> Box:
        """Draw the crop of a batch of images (N, 3, H, W)."""
        self.random.advance()
        size = inputs.shape[-2:]
        return draw_box(size, self.detail_size, self.divisor, self.draw_integer, self.last_place).within(size)

    def draw_integer(self, bound: int) -> int:
        """Draw an integer from 0 to below ``bound``."""
        return int(torch.randint(bound, (), generator=self.random.generator))

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Return fused logits at the size of the images. mmseg's inference calls it for each of its windows."""
        return self.sliding_outputs(inputs).upsample(FUSED)

    def _forward(self, inputs: Tensor, data_samples: SampleList | None = None) -> Tensor:
        """Return fused logits at the stride of the head."""
        return self.sliding_outputs(inputs).logits[FUSED]

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict:
        """Raise RuntimeError: adaptors train this network.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("HRDAEncoderDecoder is trained by an adaptor, such as model=dict(type='SourceOnly')")

    def _slide(self, inputs: Tensor, context: Sequence[Tensor]) -> HRDALogits:
        windows = sliding_windows(inputs.shape[-2:], self.detail_size, self.overlap)
        crops = cut_windows(inputs, windows)
        parts = [self.extract_feat(part) for part in crops.split(self.windows_at_once or len(crops))]
        details = [torch.cat(maps) for maps in zip(*parts, strict=True)]
        return self.decode_head(context, details, inputs.shape[-2:], windows)

    def _outputs(
        self, inputs: Tensor, logits: dict[str, Tensor], features: Sequence[Tensor], box: Box | None = None
    ) -> SegOutputs:
        height, width = inputs.shape[-2:]
        common: Any = dict(
            logits=logits, features=tuple(features), size=(height, width), align_corners=self.align_corners
        )
        return SegOutputs(**common) if box is None else HRDAOutputs(**common, box=box)

"""Inference as in CBST: mean with the prediction of the mirrored image, and upsampling with Pillow's filters."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor

from .adaptive_encoder_decoder import padding_of, unflip
from .pillow_resize import pillow_resize
from .probability_encoder_decoder import ProbabilityEncoderDecoder

PLANES = 4
"""Number of class maps that are upsampled at a time, to save memory."""


@MODELS.register_module()
class BicubicEncoderDecoder(ProbabilityEncoderDecoder):
    r"""A :class:`ProbabilityEncoderDecoder` that predicts as CBST's code (Zou et al., ECCV 2018) does.

    .. math:: P = \frac12 \big( \mathrm{softmax}(f(x)) + \mathrm{flip}(\mathrm{softmax}(f(\mathrm{flip}(x)))) \big)

    is computed at the resolution of the network's output. :func:`full_probabilities` then upsamples it to the size of
    the padded input (bicubic), cuts off the padding and resizes the rest to the size of the image. The result is
    neither clamped nor normalised again: single values can be below 0 or above 1, but those of a pixel add up to 1.

    Training is that of :class:`AdaptiveEncoderDecoder`. For the paper's results, resize images with ``ResizeLongSide``
    and pad them with ``DomainPairPreprocessor(test_cfg=dict(size_divisor=8))``. Images are mirrored with their padding.

    Args:
        flip: Average with the prediction for the mirrored image. Labelling stages have an option ``flip`` too, for
            other networks. One of the two is enough.
        *args: As :class:`mmseg.models.EncoderDecoder`.
        **kwargs: As :class:`mmseg.models.EncoderDecoder`.
    """

    def __init__(self, *args: Any, flip: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flip = flip

    def probability_maps(self, inputs: Tensor, data_samples: SampleList, size: str) -> Iterator[Tensor]:
        probs = self._softmax(inputs)
        if self.flip:
            probs = (probs + self._softmax(inputs.flip(-1)).flip(-1)) / 2
        for plane, sample in zip(probs, data_samples, strict=True):
            full_size = sample.metainfo.get('ori_shape') if size == 'image' else None
            yield unflip(full_probabilities(plane, inputs.shape[-2:], padding_of(sample), full_size), sample)

    def _softmax(self, inputs: Tensor) -> Tensor:
        return self.decode_head(self.extract_feat(inputs)).float().softmax(dim=1)


def full_probabilities(
    probs: Tensor, input_size: Sequence[int], padding: Sequence[int] = (0, 0, 0, 0), size: Sequence[int] | None = None
) -> Tensor:
    """Return the class probabilities of a network's output at the size of the image, resized with Pillow's filters.

    First they are upsampled to the size of the input (bicubic, for every stride of the network). Then the padding is
    cut off, and the rest is resized to the size of the image if the sizes differ: bicubic if both sides grow, Lanczos
    if both shrink, bilinear otherwise.

    Args:
        probs: (C, h, w) of one image.
        input_size: (height, width) of the network's padded input.
        padding: (left, right, top, bottom) of the input in pixels.
        size: (height, width) of the image; by default the size of the input without padding.

    Returns:
        (C, height, width) float32, not clamped and not normalised.
    """
    left, right, top, bottom = padding
    rows, columns = slice(top, input_size[0] - bottom), slice(left, input_size[1] - right)
    height, width = (rows.stop - rows.start, columns.stop - columns.start) if size is None else size[:2]
    full = probs.new_empty((len(probs), height, width), dtype=torch.float32)
    for start in range(0, len(probs), PLANES):
        planes = slice(start, start + PLANES)
        enlarged = pillow_resize(probs[None, planes], input_size, 'bicubic')
        full[planes] = pillow_resize(enlarged[..., rows, columns], (height, width))[0]
    return full

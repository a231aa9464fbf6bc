"""Inference as CBST does it: mirrored images too, and probabilities enlarged by Pillow's filters."""

from collections.abc import Iterator

import torch
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor

from .adaptive_encoder_decoder import padding_of, turned_back
from .pillow_resize import pillow_resize
from .probability_encoder_decoder import ProbabilityEncoderDecoder

PLANES = 4
"""Classes that are enlarged at a time: only the result is ever held as a whole."""


@MODELS.register_module()
class BicubicEncoderDecoder(ProbabilityEncoderDecoder):
    r"""A :class:`ProbabilityEncoderDecoder` that predicts as CBST's code (Zou et al., ECCV 2018) does.

    .. math:: P = \frac12 \big( \mathrm{softmax}(f(x)) + \mathrm{flip}(\mathrm{softmax}(f(\mathrm{flip}(x)))) \big)

    at the resolution of the network's output, then :func:`full_probabilities`: bicubic to the size of the padded
    input, padding cut off, and from there to the size of the image. The result is neither clamped nor normalised
    again: single values may be below 0 or above 1, and each pixel's add up to 1.

    Training is not changed. For the paper's numbers, the image is resized by ``ResizeLongSide`` and padded by the
    preprocessor, ``DomainPairPreprocessor(test_cfg=dict(size_divisor=8))``; the padded image is what is mirrored.

    Args:
        flip: Average with the prediction for the mirrored image. The stages that label have a ``flip`` of their own for
            other networks; one of the two is enough.
        *args: As :class:`mmseg.models.EncoderDecoder`.
        **kwargs: As :class:`mmseg.models.EncoderDecoder`.
    """

    def __init__(self, *args, flip: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.flip = flip

    def probability_maps(self, inputs: Tensor, data_samples: SampleList, at: str) -> Iterator[Tensor]:
        probs = self._softmax(inputs)
        if self.flip:
            probs = (probs + self._softmax(inputs.flip(-1)).flip(-1)) / 2
        for plane, sample in zip(probs, data_samples, strict=True):
            size = sample.metainfo.get('ori_shape') if at == 'image' else None
            yield turned_back(full_probabilities(plane, tuple(inputs.shape[-2:]), padding_of(sample), size), sample)

    def _softmax(self, inputs: Tensor) -> Tensor:
        return self.decode_head(self.extract_feat(inputs)).float().softmax(dim=1)


def full_probabilities(
    probs: Tensor,
    input_size: tuple[int, int],
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Class probabilities of a network's output at the size of the image, by Pillow's filters.

    First bicubic to the size of the input, whatever the stride of the network; then, without the padding and only if
    its size is another, to the size of the image: bicubic if both sides grow, Lanczos if both shrink, else bilinear.

    Args:
        probs: (C, h, w) of one image.
        input_size: (height, width) of the network's padded input.
        padding: (left, right, top, bottom) of the input in pixels.
        size: (height, width) of the image; the input's without padding by default.

    Returns:
        (C, height, width) float32, not clamped and not normalised.
    """
    left, right, top, bottom = padding
    rows, columns = slice(top, input_size[0] - bottom), slice(left, input_size[1] - right)
    size = (rows.stop - rows.start, columns.stop - columns.start) if size is None else tuple(size[:2])
    full = probs.new_empty((len(probs), *size), dtype=torch.float32)
    for start in range(0, len(probs), PLANES):
        planes = slice(start, start + PLANES)
        enlarged = pillow_resize(probs[None, planes], input_size, 'bicubic')
        full[planes] = pillow_resize(enlarged[..., rows, columns], size)[0]
    return full

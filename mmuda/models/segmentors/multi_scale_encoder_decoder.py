"""Inference as FADA does it: mean of the probabilities for several sizes of the input, mirrored ones too."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch.nn.functional as F
from mmseg.registry import MODELS
from mmseg.utils import SampleList
from torch import Tensor

from .adaptive_encoder_decoder import crop_padding, unflip
from .probability_encoder_decoder import ProbabilityEncoderDecoder


@MODELS.register_module()
class MultiScaleEncoderDecoder(ProbabilityEncoderDecoder):
    r"""A :class:`ProbabilityEncoderDecoder` that predicts as FADA's code (Wang et al., ECCV 2020) does.

    .. math:: P = \frac1{|S|} \sum_{s \in S} \mathrm{softmax}(\mathrm{up}(f(\mathrm{resize}_s(x))))

    and with ``flip`` the mean with the same for the mirrored input, mirrored back. :math:`\mathrm{resize}_s` enlarges
    the *normalised input* (H, W), not the image file, bilinearly to ``(int(H * s), int(W * s))`` with aligned corners;
    :math:`\mathrm{up}` enlarges the logits straight to the size of the original image, in the corner convention of
    the decode head. The rows "FADA-MST" of the paper: ``scales=(0.7, 1.0, 1.3), flip=True``. The defaults are the
    prediction of :class:`AdaptiveEncoderDecoder`. With ``at='input'`` every scale is enlarged to the size of the
    unscaled input.

    Training is not changed. Images go through the network one at a time and without the padding that the preprocessor
    gave them, so that a prediction does not depend on the batch it is in; beside the result, two maps (C, H, W) at the
    size of the image are held, however many scales there are.

    Args:
        scales: Factors of the input's size; a repeated factor counts twice.
        flip: Predict the mirrored input too. The stages that label have a ``flip`` of their own for other networks; one
            of the two is enough.
        *args: As :class:`mmseg.models.EncoderDecoder`.
        **kwargs: As :class:`mmseg.models.EncoderDecoder`.

    Raises:
        ValueError: If there is no scale, or one is not a positive number. At prediction: if a scale shrinks an image to
            less than one pixel.
    """

    def __init__(self, *args: Any, scales: Sequence[float] = (1.0,), flip: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scales, self.flip = _checked_scales(scales), flip

    def probability_maps(self, inputs: Tensor, data_samples: SampleList, size: str) -> Iterator[Tensor]:
        for image, sample in zip(inputs, data_samples, strict=True):
            image = crop_padding(image, sample)
            height, width = image.shape[-2:]
            if size == 'image':
                height, width = sample.metainfo.get('ori_shape', (height, width))[:2]
            yield unflip(self._mean(image[None], (height, width)), sample)

    def _mean(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the probabilities (C, *size) of one image (1, 3, H, W)."""
        total: Tensor | None = None
        count = 0
        for scale in self.scales:
            scaled = _scaled(image, scale)
            for mirrored in (False, True) if self.flip else (False,):
                logits = self.decode_head(self.extract_feat(scaled.flip(-1) if mirrored else scaled)).float()
                probs = F.interpolate(logits, size, mode='bilinear', align_corners=self.align_corners).softmax(dim=1)
                if mirrored:
                    probs = probs.flip(-1)
                total = probs if total is None else total.add_(probs)
                del probs  # or it would be held while the next is made
                count += 1
        assert total is not None  # there is at least one scale
        return total.div_(count)[0]


def _scaled(image: Tensor, scale: float) -> Tensor:
    """Return an image (1, 3, H, W) at the size (int(H * scale), int(W * scale))."""
    old = tuple(image.shape[-2:])
    new = tuple(int(length * scale) for length in old)
    if min(new) < 1:
        raise ValueError(f'scale {scale} leaves {new} pixels of an input of {old} (H, W): use a larger one in scales')
    if new == old:
        return image
    return F.interpolate(image, new, mode='bilinear', align_corners=True)


def _checked_scales(scales: Sequence[float]) -> tuple[float, ...]:
    try:
        found = tuple(float(scale) for scale in scales)
    except (TypeError, ValueError):
        found = ()
    if not found or not all(math.isfinite(scale) and scale > 0 for scale in found):
        raise ValueError(f'scales={scales!r}, expected one or several positive numbers, such as (0.7, 1.0, 1.3)')
    return found

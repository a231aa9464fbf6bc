"""Inference as in FADA: mean of the probabilities over several scales of the input, optionally mirrored too."""

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

    With ``flip``, the mean also includes the predictions for the mirrored input, mirrored back. The resizing
    :math:`\mathrm{resize}_s` is bilinear with aligned corners, from the *normalised input* (H, W), not the image file,
    to ``(int(H * s), int(W * s))``. The upsampling :math:`\mathrm{up}` goes directly to the size of the original image,
    in the corner convention of the decode head. The rows "FADA-MST" of the paper have ``scales=(0.7, 1.0, 1.3),
    flip=True``. The defaults give the prediction of :class:`AdaptiveEncoderDecoder`. With ``at='input'`` (the
    resolution of pseudo labels) the logits of every scale are upsampled to the size of the unscaled input.

    Training is that of :class:`AdaptiveEncoderDecoder`. Images are predicted one at a time and without the padding of
    the preprocessor, so that a prediction does not depend on its batch. Besides the result, two maps (C, H, W) at the
    size of the image are in memory, for any number of scales.

    Args:
        scales: Factors of the input's size. A factor that is listed twice counts twice.
        flip: Predict the mirrored input too. Labelling stages have an option ``flip`` too, for other networks. One of
            the two is enough.
        *args: As :class:`mmseg.models.EncoderDecoder`.
        **kwargs: As :class:`mmseg.models.EncoderDecoder`.

    Raises:
        ValueError: If ``scales`` is empty or has a value that is not a positive number. At prediction, if a scale gives
            a height or width of 0 pixels.
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
                del probs  # so that it is not in memory while the next map is computed
                count += 1
        assert total is not None  # there is at least one scale
        return total.div_(count)[0]


def _scaled(image: Tensor, scale: float) -> Tensor:
    """Return an image (1, 3, H, W) at the size (int(H * scale), int(W * scale))."""
    old = tuple(image.shape[-2:])
    new = tuple(int(length * scale) for length in old)
    if min(new) < 1:
        raise ValueError(f'scale {scale} leaves {new} pixels of an input of {old} (H, W): use larger scales')
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

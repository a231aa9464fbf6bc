"""Recordings of the decode head's output, from which probabilities are computed again without running the network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from torch import Tensor, nn

from mmuda.internals import has_usual_predict

from .adaptive_encoder_decoder import AdaptiveEncoderDecoder
from .bicubic_encoder_decoder import BicubicEncoderDecoder

RECORDED = (AdaptiveEncoderDecoder, BicubicEncoderDecoder)
"""Segmentors whose only use of the features of an image is as input of the decode head."""


class Recording(NamedTuple):
    """Outputs of the decode head for one image, with the meta information that a prediction needs.

    Attributes:
        sample: Meta information of the image.
        size: Height and width of the network's input.
        outputs: Every output of the decode head, each (1, C, h, w) on the CPU. At stride 8 an output has a 64th of the
            values of the probabilities at the size of the input.
    """

    sample: SegDataSample
    size: tuple[int, int]
    outputs: list[Tensor]


def can_record(segmentor: AdaptiveEncoderDecoder) -> bool:
    """Return whether a recording contains everything that a prediction of this segmentor needs."""
    return type(segmentor) in RECORDED and has_usual_predict(segmentor.decode_head)


def record(
    segmentor: AdaptiveEncoderDecoder, inputs: Tensor, data_samples: SampleList, **options: Any
) -> list[tuple[Tensor, Recording]]:
    """Return the probabilities (C, H, W) float32 of each image, with a recording on the CPU.

    Args:
        segmentor: A segmentor for which :func:`can_record` is True.
        inputs: Normalised images, (N, 3, H, W).
        data_samples: Their meta information.
        **options: Options of :meth:`AdaptiveEncoderDecoder.probabilities`.
    """
    outputs: list[Tensor] = []
    forward = segmentor.decode_head.forward

    def recorded(*args: Any) -> Tensor:
        outputs.append(forward(*args))
        return outputs[-1]

    samples = [SegDataSample(metainfo=sample.metainfo) for sample in data_samples]
    with _replaced(segmentor.decode_head, 'forward', recorded):
        maps = segmentor.probabilities(inputs, data_samples, **options)
    height, width = inputs.shape[-2:]
    found = []
    for place, (prob, sample) in enumerate(zip(maps, samples, strict=True)):
        own = [output[place : place + 1].to('cpu', copy=True) for output in outputs]
        found.append((prob, Recording(sample, (height, width), own)))
    return found


def replay(segmentor: AdaptiveEncoderDecoder, recording: Recording, **options: Any) -> Tensor:
    """Return the probabilities (C, H, W) float32 that belong to a recording.

    Args:
        segmentor: The segmentor that made the recording.
        recording: Recording of one image, made with these or other options.
        **options: Options of :meth:`AdaptiveEncoderDecoder.probabilities`.
    """
    device = next(segmentor.parameters()).device
    outputs = (output.to(device) for output in recording.outputs)
    inputs = torch.zeros(1, device=device).expand(1, 3, *recording.size)  # only its size is used
    with (
        _replaced(segmentor, 'extract_feat', lambda _: None),
        _replaced(segmentor.decode_head, 'forward', lambda _: next(outputs)),
    ):
        (prob,) = segmentor.probabilities(inputs, [SegDataSample(metainfo=recording.sample.metainfo)], **options)
    return prob


@contextmanager
def _replaced(module: nn.Module, method: str, function: Callable) -> Iterator[None]:
    setattr(module, method, function)
    try:
        yield
    finally:
        delattr(module, method)

"""Base of segmentors that predict class probabilities instead of one map of logits."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from mmseg.utils import SampleList
from torch import Tensor

from mmuda.constants import LOG_EPSILON
from mmuda.labeling import argmax_classes

from .adaptive_encoder_decoder import AdaptiveEncoderDecoder, check_size


class ProbabilityEncoderDecoder(AdaptiveEncoderDecoder):
    """Base of segmentors that predict from class probabilities P, not from one map of logits.

    Predictions are the argmax of P; in a tie it is the first class. ``seg_logits`` are ``log(max(P, 1e-30))``, because
    pictures, entropies and ensembles need logits. Their softmax is P, clamped and normalised. Training is that of
    :class:`AdaptiveEncoderDecoder`.

    Args:
        *args: As :class:`AdaptiveEncoderDecoder`.
        **kwargs: As :class:`AdaptiveEncoderDecoder`.

    Raises:
        ValueError: If ``test_cfg.mode`` is not ``'whole'``, or the decode head has its own ``predict``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self._whole_images():
            raise ValueError(
                f"{type(self).__name__} upsamples the decode head's output for whole images, but test_cfg "
                f'is {self.test_cfg} and the decode head is {type(self.decode_head).__name__}: set '
                "test_cfg.mode='whole', or use AdaptiveEncoderDecoder for a head with its own predict"
            )

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: SampleList | None = None) -> SampleList:
        """Return data samples with ``seg_logits`` (C, H, W) and ``pred_sem_seg`` (1, H, W) at the size of each image.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: Their meta information; the predictions are added to them. None gives predictions at the size
                of the inputs.
        """
        if data_samples is None:
            data_samples = [SegDataSample() for _ in inputs]
        for sample, probs in zip(data_samples, self.probability_maps(inputs, data_samples, 'image'), strict=True):
            prediction = argmax_classes(probs)[None]
            # In place, because these maps are large. Overshooting filters make some probabilities negative.
            logits = probs.clamp_(min=LOG_EPSILON).log_()
            sample.set_data(dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=prediction)))
        return data_samples

    @torch.no_grad()
    def probabilities(
        self, inputs: Tensor, data_samples: SampleList, size: str = 'image', softmax_first: bool = False
    ) -> list[Tensor]:
        """Return the class probabilities of each image, as :meth:`AdaptiveEncoderDecoder.probabilities`.

        Raises:
            ValueError: If ``size`` is unknown, or ``softmax_first`` is set: each subclass has a fixed order of softmax
                and upsampling.
        """
        check_size(size)
        if softmax_first:
            raise ValueError(
                f"at='input_soft': {type(self).__name__} does not support it: use at='image' or at='input'"
            )
        return list(self.probability_maps(inputs, data_samples, size))

    @abstractmethod
    def probability_maps(self, inputs: Tensor, data_samples: SampleList, size: str) -> Iterator[Tensor]:
        """Yield P for each image, (C, H, W) float32. The caller can overwrite it.

        Args:
            inputs: Normalised images, (N, 3, H, W).
            data_samples: Their meta information. Padding is cut off, and mirrored images (``flip``) are mirrored back.
            size: ``'image'`` or ``'input'``, the size of the original image or of the network's input.
        """

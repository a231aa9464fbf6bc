"""Normalisation and padding of domain pairs."""

from typing import Any

import torch
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor


@MODELS.register_module()
class DomainPairPreprocessor(SegDataPreProcessor):
    """mmseg's :class:`SegDataPreProcessor` for both domains of a batch.

    A training batch is ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}`` or has only one
    of the two domains. ``inputs`` is a list of (3, H, W) tensors. Each domain is normalised and padded on its own, so
    the two domains may have different sizes. A plain mmseg batch (validation, test, inference) is processed as in
    mmseg, and padded only if ``test_cfg`` demands it: CBST's ``test_cfg=dict(size_divisor=8)`` pads right and bottom
    with zeros.

    A label map whose size differs from its image, for example one sampled at the stride of the network, is not padded;
    mmseg would pad it by as many pixels as the image.

    Args:
        size_divisor: Height and width are padded to a multiple of this; 1 only pads the images of a batch to the
            largest of them. Without effect if ``size`` is given.
        **kwargs: As :class:`mmseg.models.SegDataPreProcessor`. ``mean`` and ``std`` in the channel order that the
            network sees (BGR unless ``bgr_to_rgb``).
    """

    def __init__(self, size_divisor: int = 1, **kwargs: Any) -> None:
        super().__init__(size_divisor=None if kwargs.get('size') is not None else size_divisor, **kwargs)

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise, stack and pad; return the same nesting with inputs as (N, 3, H, W) float32."""
        if 'source' in data or 'target' in data:
            return {domain: self._process(batch, training) for domain, batch in data.items()}
        return self._process(data, training)

    def _process(self, batch: dict, training: bool) -> dict[str, Any]:
        if not training or not any(map(_resampled, batch['inputs'], batch.get('data_samples') or ())):
            return super().forward(batch, training)
        batch = self.cast_data(batch)  # makes new samples, whose labels may be removed
        labels = [sample.get('gt_sem_seg') for sample in batch['data_samples']]
        for sample, label in zip(batch['data_samples'], labels, strict=True):
            if label is not None:
                del sample.gt_sem_seg
        batch = super().forward(batch, training)
        for sample, label in zip(batch['data_samples'], labels, strict=True):
            if label is not None:
                sample.gt_sem_seg = label
        return batch


def _resampled(image: Tensor, sample: SegDataSample) -> bool:
    """Return whether the size of the label map of a sample differs from that of its image."""
    return 'gt_sem_seg' in sample and sample.gt_sem_seg.data.shape[-2:] != image.shape[-2:]


def pixel_statistics(preprocessor: Any) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, (3, 1, 1), with which a preprocessor normalises grey values."""
    mean = getattr(preprocessor, 'mean', None)
    if mean is None:  # it does not normalise
        mean = torch.zeros(3, 1, 1, device=preprocessor.device)
        return mean, torch.ones_like(mean)
    return mean, preprocessor.std

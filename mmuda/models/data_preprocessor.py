"""Normalisation and padding of domain pairs."""

from typing import Any

from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor


@MODELS.register_module()
class DomainPairPreprocessor(SegDataPreProcessor):
    """mmseg's :class:`SegDataPreProcessor` for both sides of a domain pair.

    A training batch is ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}``, or has only
    one of the two, each side a list of (3, H, W) tensors and of data samples; each is normalised and padded on its own,
    so the two domains may have different sizes. A plain mmseg batch (validation, test, inference) is processed as mmseg
    does, and padded only if ``test_cfg`` says so: ``test_cfg=dict(size_divisor=8)`` of CBST pads right and bottom
    with zeros.

    Label maps of another size than their image, sampled at the stride of the network, say, are handed on as they are;
    mmseg would pad them by as many pixels as the image.

    Args:
        size_divisor: Both sides are padded to a multiple of this; 1 (the default) only pads the images of a
            batch to their largest.
        **kwargs: As :class:`mmseg.models.SegDataPreProcessor`. ``mean`` and ``std`` in the channel order that the
            network sees (BGR unless ``bgr_to_rgb``).
    """

    def __init__(self, size_divisor: int = 1, **kwargs) -> None:
        if kwargs.get('size') is not None:
            size_divisor = None
        super().__init__(size_divisor=size_divisor, **kwargs)

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise, stack and pad; returns the same nesting with inputs as (N, 3, H, W) float32."""
        if 'source' in data or 'target' in data:
            return {domain: self._process(batch, training) for domain, batch in data.items()}
        return self._process(data, training)

    def _process(self, batch: dict, training: bool) -> dict[str, Any]:
        if not training or not any(map(_resampled, batch['inputs'], batch.get('data_samples') or ())):
            return super().forward(batch, training)
        batch = self.cast_data(batch)  # makes samples of its own, which may be taken apart
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
    """Whether the label map of a sample has another size than its image."""
    return 'gt_sem_seg' in sample and sample.gt_sem_seg.data.shape[-2:] != image.shape[-2:]

"""Normalisation and padding of domain pairs."""
from typing import Any, Dict

from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS


@MODELS.register_module()
class DomainPairPreprocessor(SegDataPreProcessor):
    """mmseg's :class:`SegDataPreProcessor` for both sides of a domain pair.

    A training batch is ``{'source': {'inputs', 'data_samples'}, 'target': {'inputs', 'data_samples'}}``, each side a list
    of (3, H, W) tensors and of data samples; each is normalised and padded on its own, so the two domains may have
    different sizes. A plain mmseg batch (validation, test, inference) is processed as mmseg does.

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

    def forward(self, data: dict, training: bool = False) -> Dict[str, Any]:
        """Normalise, stack and pad; returns the same nesting with inputs as (N, 3, H, W) float32."""
        if 'source' in data or 'target' in data:
            return {domain: SegDataPreProcessor.forward(self, batch, training) for domain, batch in data.items()}
        return super().forward(data, training)

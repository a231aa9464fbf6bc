"""Training images with a weight for each pixel."""

from typing import NamedTuple

from torch import Tensor

from ..losses import pixel_cross_entropy
from .base import BaseAdaptor, Losses


class WeightedImages(NamedTuple):
    """Training images with labels and a weight for each pixel.

    Attributes:
        inputs: (N, 3, H, W) float32, normalised.
        labels: (N, H, W) int64.
        weight: (N, H, W) float32.
    """

    inputs: Tensor
    labels: Tensor
    weight: Tensor


def pixel_losses(adaptor: BaseAdaptor, term: str, images: WeightedImages, mean_over: str = 'all') -> Losses:
    """Return ``loss_<term>_<level>``: the pixel-weighted cross-entropy of each level in a pass over images.

    Args:
        adaptor: The adaptor whose segmentor is trained and whose ``loss_weights`` multiply the losses.
        term: Name of the term.
        images: Images, labels and weights.
        mean_over: See :func:`mmuda.models.losses.pixel_cross_entropy`.
    """
    for name, value in zip(('image', 'label', 'weight'), images, strict=True):
        adaptor.show(f'{term} {name}', value)
    outputs = adaptor.segment(dict(inputs=images.inputs))
    losses: Losses = {}
    for level in outputs.levels:
        logits, labels = outputs.labelled(level, images.labels)
        losses[level] = pixel_cross_entropy(logits, labels, outputs.region(level, images.weight), mean_over)
    return adaptor.weigh(term, losses)

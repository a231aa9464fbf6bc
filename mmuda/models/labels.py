"""Label maps: of a batch, from confident predictions, and at a smaller size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmuda.constants import IGNORE_INDEX


def labels_of(batch: dict) -> Tensor:
    """Return the label maps of a batch, (N, H, W) int64.

    Args:
        batch: One domain of a training batch. Its ``data_samples`` have label maps of one size.
    """
    return torch.cat([sample.gt_sem_seg.data for sample in batch['data_samples']])


def confident_labels(logits: Tensor, threshold: float, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Return the predicted class of each confident pixel, and ``ignore_index`` elsewhere.

    Args:
        logits: (N, C, h, w) of any floating type.
        threshold: A pixel is confident if its largest probability is at least this (SDCA's delta, 0.9).
        ignore_index: Label of the other pixels.

    Returns:
        (N, h, w) int64.
    """
    confidence, labels = logits.detach().float().softmax(dim=1).max(dim=1)
    return labels.masked_fill_(confidence < threshold, ignore_index)


def nearest_labels(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Return label maps at a smaller size by nearest-neighbour sampling: row i is row ``floor(i * H / h)``.

    PyTorch's ``nearest`` computes the positions in float32, as in the papers' code.

    Args:
        labels: (N, H, W) of any integer type.
        size: Height h and width w of the result.

    Returns:
        (N, h, w) of the same type.
    """
    return F.interpolate(labels[:, None].float(), size=tuple(size), mode='nearest')[:, 0].to(labels.dtype)

"""Label maps: those of a batch, confident predictions, resampled ones."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmuda.constants import IGNORE_INDEX


def labels_of(batch: dict) -> Tensor:
    """Return the label maps of a batch, (N, H, W) int64.

    Args:
        batch: One domain of a training batch, with labelled ``data_samples`` whose label maps have one size.
    """
    return torch.cat([sample.gt_sem_seg.data for sample in batch['data_samples']])


def confident_labels(logits: Tensor, threshold: float, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Return the predicted classes (N, h, w) int64, ignored where the largest probability is below a threshold.

    Args:
        logits: (N, C, h, w).
        threshold: Smallest probability that gives a label (SDCA's delta, 0.9).
        ignore_index: Label of the other pixels.
    """
    confidence, labels = logits.detach().float().softmax(dim=1).max(dim=1)
    return labels.masked_fill_(confidence < threshold, ignore_index)


def nearest_labels(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Return label maps (N, H, W) at a smaller size (h, w): row i is taken from row ``floor(i * H / h)``.

    PyTorch's ``nearest`` computes this in float32, as the originals did.
    """
    return F.interpolate(labels[:, None].float(), size=tuple(size), mode='nearest')[:, 0].to(labels.dtype)

"""Cross-entropy with ignored pixels."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

MEAN_OVER = ('labelled', 'all')


def cross_entropy(
    logits: Tensor, labels: Tensor, ignore_index: int = IGNORE_INDEX, weight: Tensor | None = None
) -> Tensor:
    """Return the mean over labelled pixels of ``-log softmax(logits)[label]``.

    By default mmseg's CrossEntropyLoss divides by the number of *all* pixels; the adaptation papers divide by the
    number of labelled pixels. Without a labelled pixel the result is a differentiable zero (the originals: NaN on
    current PyTorch, 0 on old versions).

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W), int64; values below 0 and ``ignore_index`` are ignored.
        ignore_index: The ignored label.
        weight: Class weights (C,). The sum is then divided by the sum of the weights of all labelled pixels. None: all
            classes have weight 1.
    """
    labels = labels.masked_fill(labels < 0, ignore_index)
    total = _cross_entropy(logits, labels, weight=weight, ignore_index=ignore_index, reduction='sum')
    valid = labels != ignore_index
    # The clamps avoid a division by zero on the device, without a sync.
    if weight is None:
        return total / valid.sum().clamp(min=1)
    return total / weight[labels.masked_fill(~valid, 0)].mul(valid).sum().clamp(min=1e-12)


def pixel_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    mean_over: str = 'labelled',
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    r"""Return the mean of ``-w log softmax(logits)[label]``, with a weight :math:`w` for each pixel.

    Ignored pixels add nothing to the sum. Without a labelled pixel it is a differentiable zero.

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W), int64; values below 0 and ``ignore_index`` are ignored.
        weight: (N, H, W) constants; None: all pixels have weight 1.
        mean_over: Pixels by whose number the sum is divided: ``'labelled'``, or ``'all'``, which includes ignored
            pixels, as in the mixed loss of DACS and in all losses of DAFormer.
        ignore_index: The ignored label.

    Raises:
        ValueError: If ``mean_over`` is unknown.
    """
    if mean_over not in MEAN_OVER:
        raise ValueError(f'mean_over={mean_over!r}, expected one of {MEAN_OVER}')
    if weight is None and mean_over == 'labelled':
        return cross_entropy(logits, labels, ignore_index)
    labels = labels.masked_fill(labels < 0, ignore_index)
    losses = _cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none')
    total = (losses if weight is None else losses * weight).sum()
    if mean_over == 'all':
        return total / labels.numel()
    return total / (labels != ignore_index).sum().clamp(min=1)


def _cross_entropy(logits: Tensor, labels: Tensor, **options: Any) -> Tensor:
    """Return PyTorch's cross-entropy in float32, a scalar or a map (N, H, W)."""
    logits = logits.float()
    if not has_no_deterministic_kernel(logits):
        return F.cross_entropy(logits, labels, **options)
    losses = F.cross_entropy(logits.movedim(1, -1).flatten(0, -2), labels.flatten(), **options)
    return losses.view_as(labels) if losses.dim() else losses


def has_no_deterministic_kernel(logits: Tensor) -> bool:
    """Return whether PyTorch raises an error for the cross-entropy of maps, because it has no deterministic kernel.

    This is the case on a GPU in deterministic mode. The cross-entropy of a list of pixels has such a kernel.
    """
    return logits.is_cuda and torch.are_deterministic_algorithms_enabled()

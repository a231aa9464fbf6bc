"""Lovász-softmax: a surrogate of the mean IoU that networks can be trained with."""

from typing import Any

import torch
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

BLOCK = 1 << 22
"""Number of values that are sorted at a time, to bound the memory: classes are processed in blocks for large maps."""

EXACT = 1 << 24
"""Number of pixels below which float32 represents every count exactly."""


def lovasz_softmax(logits: Tensor, labels: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    r"""Return the Lovász-softmax loss (Berman et al., CVPR 2018, eqs. 9-12) over all pixels of a batch.

    For each class c with a labelled pixel, errors :math:`e_n = |1[y_n = c] - p_{nc}|` are sorted in descending order
    and multiplied by the increments of the Jaccard loss over the sorted prefixes (Alg. 1). The loss is the mean over
    these classes. Without a labelled pixel the loss and its gradient are zero. The forward pass also computes the
    gradient, so that only one map of the size of the probabilities is kept for the backward pass.

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W) int64.
        ignore_index: The ignored label; negative labels are ignored too.
    """
    probs = logits.float().softmax(dim=1).transpose(0, 1).flatten(1)
    return _Lovasz.apply(probs, labels.flatten(), ignore_index)


class _Lovasz(torch.autograd.Function):
    """The loss of :func:`lovasz_softmax` for probabilities (C, P) and labels (P,), with its gradient."""

    @staticmethod
    def forward(ctx: Any, probs: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        num_classes, pixels = probs.shape
        valid = (labels != ignore_index) & (labels >= 0)
        counted = torch.float32 if pixels < EXACT else torch.float64
        grad = torch.empty_like(probs)
        losses = probs.new_zeros(num_classes)
        present = torch.zeros_like(losses, dtype=torch.bool)
        step = max(1, BLOCK // max(1, pixels))
        for start in range(0, num_classes, step):
            block = slice(start, min(start + step, num_classes))
            classes = torch.arange(block.start, block.stop, device=labels.device)[:, None]
            is_class = labels == classes
            # Ignored pixels get error -1: they sort last and do not change the Jaccard increments of the others. Their
            # own increments are set to zero.
            errors = torch.where(is_class, 1 - probs[block], probs[block]).masked_fill_(~valid, -1)
            errors, order = errors.sort(dim=1, descending=True)
            slopes = _jaccard_slopes(is_class.gather(1, order), counted).masked_fill_(errors < 0, 0)
            losses[block] = (errors * slopes).sum(dim=1)
            present[block] = (is_class & valid).any(dim=1)
            slopes = torch.empty_like(slopes).scatter_(1, order, slopes)  # back to the order of the pixels
            grad[block] = torch.where(is_class, -slopes, slopes)
        share = present / present.sum().clamp(min=1)
        ctx.save_for_backward(grad.mul_(share[:, None]))
        return (losses * share).sum()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return grad * upstream, None, None


def _jaccard_slopes(is_class: Tensor, counted: torch.dtype) -> Tensor:
    """Return the increments (C, P) float32 of the Jaccard loss over growing prefixes of the sorted pixels.

    Args:
        is_class: (C, P) bool, sorted by descending error.
        counted: Floating type of the counts.
    """
    # Count in integers: on a GPU, cumsum of floating-point numbers is an error in PyTorch's deterministic mode.
    hits = is_class.cumsum(dim=1, dtype=torch.int32).to(counted)
    total = hits[:, -1:]
    ranks = torch.arange(1, is_class.shape[1] + 1, device=is_class.device, dtype=counted)
    jaccard = 1 - (total - hits) / (total + ranks - hits).clamp_(min=1)
    return torch.diff(jaccard, dim=1, prepend=torch.zeros_like(total)).float()

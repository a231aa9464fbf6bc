"""Cross-entropy with ignored pixels."""

import torch.nn.functional as F
from torch import Tensor

from mmuda.constants import IGNORE_INDEX


def cross_entropy(
    logits: Tensor, labels: Tensor, ignore_index: int = IGNORE_INDEX, weight: Tensor | None = None
) -> Tensor:
    """Return the mean over labelled pixels of ``-log softmax(logits)[label]``.

    Without a labelled pixel it is a differentiable zero.

    mmseg's CrossEntropyLoss divides by *all* pixels by default; the adaptation papers divide by labelled ones. A batch
    whose pixels are all ignored gives 0 (the originals: NaN on current PyTorch, 0 on old versions).

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W), int64; values below 0 and ``ignore_index`` are ignored.
        ignore_index: The ignored label.
        weight: Class weights (C,) of a weighted mean; None weighs all classes alike.
    """
    labels = labels.masked_fill(labels < 0, ignore_index)
    total = F.cross_entropy(logits.float(), labels, weight=weight, ignore_index=ignore_index, reduction='sum')
    valid = labels != ignore_index
    # Division by zero is avoided on the device, without a sync.
    if weight is None:
        return total / valid.sum().clamp(min=1)
    return total / weight[labels.masked_fill(~valid, 0)].mul(valid).sum().clamp(min=1e-12)

"""Cross-entropy against labels with ignored pixels."""

import torch.nn.functional as F
from torch import Tensor

from mmuda.constants import IGNORE_INDEX


def cross_entropy(
    logits: Tensor, labels: Tensor, ignore_index: int = IGNORE_INDEX, weight: Tensor | None = None
) -> Tensor:
    """Mean over labelled pixels of ``-log softmax(logits)[label]``, with a differentiable zero if there is none.

    mmseg's CrossEntropyLoss divides by *all* pixels unless told otherwise; the adaptation papers divide by labelled
    ones. An image whose pixels are all ignored contributes nothing (the originals: NaN on current PyTorch, 0 on old
    ones).

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W), int64; values below 0 and ``ignore_index`` are ignored.
        ignore_index: The ignored label.
        weight: Optional class weights (C,); the mean is then weighted alike.
    """
    labels = labels.masked_fill(labels < 0, ignore_index)
    total = F.cross_entropy(logits.float(), labels, weight=weight, ignore_index=ignore_index, reduction='sum')
    valid = labels != ignore_index
    count = valid.sum() if weight is None else weight[labels.masked_fill(~valid, 0)].mul(valid).sum()
    # The zero-division case is decided on the device: asking for the count here would stall the step.
    return total / count.clamp(min=1) if weight is None else total / count.clamp(min=1e-12)

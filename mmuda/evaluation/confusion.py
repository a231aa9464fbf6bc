"""Counts of pixels by (label, prediction), and the measures computed from them."""

import numpy as np
import torch
from torch import Tensor

MEASURES = {'mIoU': ('IoU', 'Acc'), 'mDice': ('Dice', 'Acc'), 'mFscore': ('Fscore', 'Precision', 'Recall')}
"""Per-class measures of each value of ``iou_metrics``."""


def pair_counts(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Return the number of pixels of every (label, prediction) pair, on the device of the prediction.

    Values outside the class list are counted too, in the first and last row and column: index 0 counts values below 0,
    index ``num_classes + 1`` counts values above the last class.

    Args:
        prediction: (H, W) of an integer type.
        label: (H, W) of an integer type.
        num_classes: Number of classes C.

    Returns:
        (C + 2, C + 2) int64; row ``i + 1`` is label ``i``, column ``j + 1`` is prediction ``j``.
    """
    side = num_classes + 2
    # Where 16 bits are enough for the index of a pair, they are three times as fast as 64.
    narrow = torch.int16 if side * side <= torch.iinfo(torch.int16).max else torch.int64
    pairs = _clamp(label.to(prediction.device), num_classes, narrow).add_(1).mul_(side)
    pairs.add_(_clamp(prediction, num_classes, narrow)).add_(1)
    return torch.bincount(pairs.flatten(), minlength=side * side).view(side, side)


def _clamp(values: Tensor, num_classes: int, dtype: torch.dtype) -> Tensor:
    """Return a copy of the given type, clamped to [-1, C]."""
    # Clamp before the conversion: 65536 would become class 0 in 16 bits.
    if values.dtype == torch.uint8:
        return values.clamp(max=min(num_classes, 255)).to(dtype)
    if values.dtype not in (torch.int16, torch.int32, torch.int64):
        values = values.to(torch.int64)
    return values.clamp(-1, num_classes).to(dtype)


def class_measures(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Return all per-class measures of a confusion matrix, as fractions.

    ``IoU = tp / (row + col - tp)``, ``Dice = Fscore = 2 tp / (row + col)``, ``Acc = Recall = tp / row``,
    ``Precision = tp / col``, where ``row`` is the number of pixels with this label and ``col`` that with this
    prediction.

    Args:
        matrix: (C, C) integers, row = label, column = prediction.

    Returns:
        (C,) float64 for each measure; 0/0 is NaN.
    """
    hits = np.diag(matrix)
    labelled, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid='ignore'):
        dice = 2 * hits / (labelled + predicted)
        recall = hits / labelled
        return dict(
            IoU=hits / (labelled + predicted - hits),
            Acc=recall,
            Dice=dice,
            Fscore=dice,
            Precision=hits / predicted,
            Recall=recall,
        )


def mean(values: np.ndarray) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float('nan')

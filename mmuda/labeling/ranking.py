"""Easy and hard images, by the entropy of their predictions (IntraDA, Pan et al., CVPR 2020, section 3.2)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmuda.constants import LOG_EPSILON

from .confidences import row_blocks

# The authors count these of the 19 Cityscapes classes as rare.
RARE_CLASSES = (
    'wall',
    'fence',
    'pole',
    'traffic light',
    'traffic sign',
    'terrain',
    'rider',
    'truck',
    'bus',
    'train',
    'motorcycle',
)


def entropy_score(prob: Tensor) -> Tensor:
    r"""Return the mean over classes and pixels of :math:`-p \log_2(p + 10^{-30}) / \log_2 C`; low is easy.

    As in the authors' code, the score is a mean over classes, too: the mean normalised entropy divided by C.

    Args:
        prob: (C, H, W) float32 probabilities of at least two classes.

    Returns:
        A scalar on the device of ``prob``.
    """
    sums = [torch.log2(block + LOG_EPSILON).mul_(block).sum() for block in row_blocks(prob)]
    return -torch.stack(sums).sum() / (prob.numel() * math.log2(len(prob)))


def rare_factor(labels: Tensor, rare_classes: Sequence[int]) -> float:
    """Return the factor of IntraDA's normalisation, (K - r) / K + 0.5: images with rare classes become easier.

    Args:
        labels: (H, W) uint8 train ids, the most likely class of each pixel.
        rare_classes: K train ids; r of them occur in the image.

    Raises:
        ValueError: If K is 0.
    """
    if not rare_classes:
        raise ValueError('rare_classes is empty: name the rare classes, or rank without normalisation')
    seen = torch.bincount(labels.flatten(), minlength=256)[list(rare_classes)].count_nonzero().item()
    return (len(rare_classes) - seen) / len(rare_classes) + 0.5


def split_by_score(names: Sequence[str], scores: Sequence[float], easy: float = 0.67) -> tuple[list[str], list[str]]:
    """Sort names by ascending score (names of equal score keep their order), and cut them into easy and hard.

    Args:
        names: Names of N images.
        scores: N numbers.
        easy: Share of the first part, which has int(N * easy) images: the paper's lambda.

    Raises:
        ValueError: If there is not one finite score for each name, or ``easy`` is not in [0, 1].
    """
    if not 0 <= easy <= 1:
        raise ValueError(f'easy={easy}: must be in [0, 1], the share of the images that is easy')
    if len(names) != len(scores):
        raise ValueError(f'{len(names)} names, but {len(scores)} scores')
    lost = [name for name, score in zip(names, scores, strict=True) if not math.isfinite(score)]
    if lost:
        raise ValueError(
            f'the scores of {len(lost)} images are not finite (the first: {lost[0]}): probabilities must '
            'be those of a softmax, from a network that has not diverged'
        )
    ranked = [names[index] for index in np.argsort(scores, kind='stable')]
    cut = int(len(ranked) * easy)
    return ranked[:cut], ranked[cut:]

"""Sums over the pixels of one prediction, and its soft neighbourhood density."""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

VALUES_AT_A_TIME = 2**22
"""Number of probabilities that are processed at a time, to bound the memory. A few copies of them exist."""


class PredictionStatistics(NamedTuple):
    """Sums over the pixels of one image.

    Attributes:
        entropy: Sum of the entropies of the pixels in nats, a scalar float64.
        probabilities: Sum of the probabilities of each class, (C,) float64.
    """

    entropy: Tensor
    probabilities: Tensor


def prediction_statistics(logits: Tensor) -> PredictionStatistics:
    """Return the sums of entropies and probabilities over the pixels of an image, computed a few rows at a time.

    Args:
        logits: (C, H, W) of any floating type; computed in float32.
    """
    num_classes, _, width = logits.shape
    entropy = torch.zeros((), dtype=torch.float64, device=logits.device)
    probabilities = torch.zeros(num_classes, dtype=torch.float64, device=logits.device)
    for rows in logits.split(max(1, VALUES_AT_A_TIME // (num_classes * width)), dim=1):
        prob = rows.float().softmax(dim=0)
        # Only sums within one row of pixels are in float32.
        probabilities += prob.sum(dim=2).sum(dim=1, dtype=torch.float64)
        entropy += torch.special.entr(prob).sum(dim=(0, 2)).sum(dtype=torch.float64)
    return PredictionStatistics(entropy, probabilities)


def neighbourhood_density(probabilities: Tensor, temperature: float = 0.05) -> Tensor:
    r"""Return the soft neighbourhood density of samples (Saito et al., ICCV 2021, eqs. 1-3), in nats.

    With the similarities :math:`S_{ij} = \langle f_i, f_j \rangle` of L2-normalised probabilities :math:`f_i`,

    .. math:: P_{ij} = \frac{\exp(S_{ij} / \tau)}{\sum_{k \ne i} \exp(S_{ik} / \tau)}, \quad
       \mathrm{SND} = -\frac{1}{n} \sum_i \sum_{j \ne i} P_{ij} \log P_{ij}

    It is at most log(n - 1). It is high if each sample has many neighbours that are about as near as its nearest one.

    Args:
        probabilities: Class probabilities of n > 1 samples, (n, C) float32.
        temperature: :math:`\tau`.

    Returns:
        A scalar float32.
    """
    features = F.normalize(probabilities, dim=1)
    similarities = (features @ features.T / temperature).fill_diagonal_(-torch.inf)
    return torch.special.entr(similarities.softmax(dim=1)).sum(dim=1).mean()


@lru_cache(maxsize=16)
def fixed_points(height: int, width: int, count: int, device: torch.device) -> Tensor:
    """Return random positions of ``count`` pixels of an image, the same in every call; all if there are fewer.

    Returns:
        (count,) int64 on the device, indices of the flattened image.
    """
    places = torch.randperm(height * width, generator=torch.Generator().manual_seed(0))
    return places[:count].to(device)

"""The mean of the predictions of several networks."""

from collections.abc import Iterable, Sequence

from torch import Tensor


def weighted_mean(maps: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the weighted sum of probability maps (C, H, W), in the order of the networks."""
    (first, *others), (share, *shares) = maps, weights
    total = first * share
    for one, weight in zip(others, shares, strict=True):
        total.add_(one, alpha=weight)
    return total

"""Mean of the predictions of several networks."""

from collections.abc import Iterable, Sequence

from torch import Tensor


def weighted_mean(maps: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the weighted sum (C, H, W) of probability maps (C, H, W), one map and one weight for each network."""
    (first, *others), (share, *shares) = maps, weights
    total = first * share
    for one, weight in zip(others, shares, strict=True):
        total.add_(one, alpha=weight)
    return total

"""The mean of the predictions of several networks."""

from collections.abc import Iterable, Sequence

from torch import Tensor


def check_weights(weights: Sequence[float] | None, count: int) -> list[float]:
    """Return the weights of ``count`` networks, equal ones that add up to 1 if there are none.

    Raises:
        ValueError: If there is another number of them.
    """
    found = [1 / count] * count if weights is None else list(weights)
    if len(found) != count:
        raise ValueError(f'there are {count} networks but {len(found)} weights')
    return found


def weighted_mean(maps: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the weighted sum of probability maps (C, H, W), in the order of the networks."""
    (first, *others), (share, *shares) = maps, weights
    total = first * share
    for one, weight in zip(others, shares, strict=True):
        total.add_(one, alpha=weight)
    return total

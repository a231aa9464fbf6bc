"""Mean and variance of more values than memory holds, independent of their order and of the number of processes."""

from typing import Any

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor


class PooledMoments:
    """Mean and variance, channel by channel, of all values that were added.

    The sums of values and of squares are float64, and the rounding errors of the additions are summed beside them
    (Knuth's two-sum). Together they have about 100 bits. So a float32 result does not depend on the order of the
    additions, or on how they are shared among processes. The relative error of a variance is about
    1e-16 mean^2 / variance.

    Args:
        channels: Number C of channels.
        device: Device of the values.
    """

    def __init__(self, channels: int, device: torch.device | str = 'cpu') -> None:
        self.count = 0
        # First index: sum, rounding error. Second index: values, squares.
        self._sums = torch.zeros(2, 2, channels, dtype=torch.float64, device=device)

    @torch.no_grad()
    def add(self, values: Tensor) -> None:
        """Add values, without a synchronisation with the device.

        Args:
            values: (N, C, ...), floating-point.
        """
        others = [axis for axis in range(values.dim()) if axis != 1]
        norms = torch.linalg.vector_norm(values, dim=others, dtype=torch.float64)
        self._add(torch.stack([values.sum(dim=others, dtype=torch.float64), norms.square()]))
        self.count += values.numel() // values.shape[1]

    def mean_and_variance(self) -> tuple[Tensor, Tensor]:
        """Return mean and unbiased variance, (C,) float64 each; batch-norm stores the unbiased one, too.

        Raises:
            ValueError: If a channel has fewer than two values.
        """
        if self.count < 2:
            raise ValueError(f'a variance needs at least two values in each channel, but there were {self.count}')
        mean, square = self._sums.sum(dim=0) / self.count
        return mean, (square - mean.square()).clamp_(min=0) * (self.count / (self.count - 1))

    def merge_processes(self) -> None:
        """Add up the moments of all processes, and store the result in each of them. All processes must call it."""
        if get_world_size() == 1:
            return
        counts = all_gather(torch.tensor(self.count, device=self._sums.device))
        parts = all_gather(self._sums)
        self.count = int(sum(count.item() for count in counts))
        self._sums = torch.zeros_like(self._sums)
        for part in parts:
            for sums in part:
                self._add(sums)

    def state_dict(self) -> dict[str, Any]:
        """Return the moments as tensors and plain values."""
        return dict(count=self.count, sums=self._sums)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load moments that :meth:`state_dict` returned."""
        self.count = state['count']
        self._sums.copy_(state['sums'])

    def _add(self, new: Tensor) -> None:
        old, lacking = self._sums
        total = old + new
        of_new = total - old
        lacking += (old - (total - of_new)) + (new - of_new)
        old.copy_(total)

"""Running statistics of features by class."""

from typing import NamedTuple

import torch
from mmengine.dist import all_gather, all_reduce, get_world_size
from torch import Tensor, nn

from mmuda.constants import IGNORE_INDEX

BLOCK = 512
"""Channels per block when summing squares; larger blocks only need more memory."""


class Moments(NamedTuple):
    """Counts (C,) float64, mean (C, D) and biased variance (C, D) by class."""

    counts: Tensor
    mean: Tensor
    variance: Tensor


class ClassStatistics(nn.Module):
    r"""Mean and diagonal variance of all vectors of each class seen so far (SDCA, Li et al. 2021, section 3.2).

    With :math:`n_c` new vectors of class c, of mean :math:`\mu_c'` and biased variance :math:`v_c'`, and
    :math:`w_c = n_c / (n_c + N_c)`,

    .. math:: v_c \leftarrow (1 - w_c) v_c + w_c v_c' + w_c (1 - w_c) (\mu_c - \mu_c')^2, \quad
       \mu_c \leftarrow (1 - w_c) \mu_c + w_c \mu_c', \quad N_c \leftarrow N_c + n_c

    which is exact, not a moving average. A class without new vectors does not change. State is in buffers: it is saved,
    resumed, and read by any number of processes.

    If new vectors of a class are not finite, as after an overflow in half precision, the class ignores the whole
    update.

    Sums by class are products of (C, pixels) and (pixels, D) matrices. Variances are computed from centred values,
    because the difference of two large sums loses their digits.

    Args:
        num_classes: C.
        channels: D.
        reduce: Count the vectors of all processes, so that N processes have the statistics of one with the whole batch.
            False lets each process see its own images only, as the original does. This saves a synchronisation in each
            iteration, but statistics differ between processes and the checkpoint keeps those of the first.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, num_classes: int, channels: int, reduce: bool = True) -> None:
        super().__init__()
        self.reduce = reduce
        self.register_buffer('mean', torch.zeros(num_classes, channels))
        self.register_buffer('variance', torch.zeros(num_classes, channels))
        self.register_buffer('count', torch.zeros(num_classes, dtype=torch.float64))  # whole numbers, far beyond 2^24

    @torch.no_grad()
    def reset(self) -> None:
        """Set all statistics to zero, as if no vector had been seen."""
        for buffer in (self.count, self.mean, self.variance):
            buffer.zero_()

    @torch.no_grad()
    def update(self, maps: Tensor, labels: Tensor, ignore_index: int = IGNORE_INDEX) -> None:
        """Add new vectors.

        Args:
            maps: (N, D, h, w); no gradient flows into them.
            labels: (N, h, w) int64.
            ignore_index: The ignored label.
        """
        with torch.autocast(maps.device.type, enabled=False):
            self._merge(self._moments(maps.detach().float().flatten(2), labels.flatten(1), ignore_index))

    @torch.no_grad()
    def merge_processes(self) -> None:
        """Merge statistics that processes gathered apart (with ``reduce=False``), so that all have the same ones."""
        if get_world_size() == 1:
            return
        gathered = [all_gather(value) for value in (self.count, self.mean, self.variance)]
        self.reset()
        for count, mean, variance in zip(*gathered, strict=True):
            self._merge(Moments(count, mean, variance))

    def _moments(self, maps: Tensor, labels: Tensor, ignore_index: int) -> Moments:
        """Return the moments of new vectors (N, D, P); zeros for classes without any."""
        classes = torch.arange(len(self.count), device=labels.device)[:, None]
        members = ((labels[:, None] == classes) & (labels[:, None] != ignore_index)).to(maps.dtype)  # (N, C, P)
        count = members.sum(dim=(0, 2), dtype=torch.float64)
        sums = (members @ maps.transpose(1, 2)).sum(dim=0)
        if self.reduce and get_world_size() > 1:
            all_reduce(count)
            all_reduce(sums)
        divisor = count.clamp(min=1).to(maps.dtype)[:, None]
        mean = sums / divisor
        squares = torch.empty_like(mean)
        for start in range(0, mean.shape[1], BLOCK):
            block = slice(start, start + BLOCK)
            centred = maps[:, block] - mean[:, block].T @ members
            squares[:, block] = (members @ centred.square_().transpose(1, 2)).sum(dim=0)
        if self.reduce and get_world_size() > 1:
            all_reduce(squares)
        return Moments(count, mean, squares / divisor)

    def _merge(self, new: Moments) -> None:
        total = self.count + new.counts
        weight = (new.counts / total.clamp(min=1)).to(self.mean.dtype)[:, None]
        shift = (self.mean - new.mean).square_().mul_(weight * (1 - weight))
        variance = (self.variance * (1 - weight)).addcmul_(weight, new.variance).add_(shift)
        mean = (self.mean * (1 - weight)).addcmul_(weight, new.mean)
        # Keep the old value where the new one is not finite (0 * NaN is NaN); decided on the device to avoid a sync.
        sound = (mean.isfinite() & variance.isfinite()).all(dim=1)
        self.variance.copy_(torch.where(sound[:, None], variance, self.variance))
        self.mean.copy_(torch.where(sound[:, None], mean, self.mean))
        self.count.copy_(torch.where(sound, total, self.count))

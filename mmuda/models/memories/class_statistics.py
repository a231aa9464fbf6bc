"""Running statistics of features by class."""

from typing import NamedTuple

import torch
from mmengine.dist import all_gather, all_reduce, get_world_size
from torch import Tensor, nn

from mmuda.constants import IGNORE_INDEX

BLOCK = 512
"""Channels per block when summing squares; larger blocks only need more memory."""


class Moments(NamedTuple):
    """Moments of the vectors of each class.

    Attributes:
        counts: Numbers of vectors, (C,) float64.
        mean: (C, D) float32.
        variance: Biased variance of each dimension, (C, D) float32.
    """

    counts: Tensor
    mean: Tensor
    variance: Tensor


class ClassStatistics(nn.Module):
    r"""Mean and diagonal variance of all vectors of each class seen so far (SDCA, Li et al. 2021, section 3.2).

    Let class c have :math:`n_c` new vectors, with mean :math:`\mu_c'` and biased variance :math:`v_c'`, and
    :math:`N_c` vectors seen before. With :math:`w_c = n_c / (n_c + N_c)`, the update is

    .. math:: v_c \leftarrow (1 - w_c) v_c + w_c v_c' + w_c (1 - w_c) (\mu_c - \mu_c')^2, \quad
       \mu_c \leftarrow (1 - w_c) \mu_c + w_c \mu_c', \quad N_c \leftarrow N_c + n_c

    This is exact, not a moving average. A class without new vectors does not change. The state is in buffers, so it is
    saved and resumed, with any number of processes.

    If new vectors of a class are not finite, as after an overflow in half precision, the class does not change in this
    update.

    Sums by class are products of (C, pixels) and (pixels, D) matrices. Variances are computed from centred values,
    because the difference of two large sums loses digits.

    Args:
        num_classes: Number of classes C.
        channels: Number of dimensions D.
        reduce: Include the vectors of all processes, so that the statistics are those of one process with the whole
            batch. False: each process includes its own images only, as in the original. This saves a synchronisation in
            each iteration, but the statistics differ between processes, and the checkpoint keeps those of the first.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, num_classes: int, channels: int, reduce: bool = True) -> None:
        super().__init__()
        self.reduce = reduce
        self.register_buffer('mean', torch.zeros(num_classes, channels))
        self.register_buffer('variance', torch.zeros(num_classes, channels))
        # float64, because float32 cannot represent all integers above 2^24.
        self.register_buffer('count', torch.zeros(num_classes, dtype=torch.float64))

    @torch.no_grad()
    def reset(self) -> None:
        """Set all statistics to zero, as before the first update."""
        for buffer in (self.count, self.mean, self.variance):
            buffer.zero_()

    @torch.no_grad()
    def update(self, maps: Tensor, labels: Tensor, ignore_index: int = IGNORE_INDEX) -> None:
        """Add new vectors.

        Args:
            maps: (N, D, h, w); no gradient flows into them.
            labels: (N, h, w) int64. Vectors with a label that is no class are ignored too.
            ignore_index: The ignored label.
        """
        with torch.autocast(maps.device.type, enabled=False):
            self._merge(self._moments(maps.detach().float().flatten(2), labels.flatten(1), ignore_index))

    @torch.no_grad()
    def merge_processes(self) -> None:
        """Merge the separate statistics of all processes (``reduce=False``), so that all processes have the same."""
        if get_world_size() == 1:
            return
        gathered = [all_gather(value) for value in (self.count, self.mean, self.variance)]
        self.reset()
        for count, mean, variance in zip(*gathered, strict=True):
            self._merge(Moments(count, mean, variance))

    def _moments(self, maps: Tensor, labels: Tensor, ignore_index: int) -> Moments:
        """Return the moments of new vectors (N, D, P) with labels (N, P); zeros for classes without vectors."""
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

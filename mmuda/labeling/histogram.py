"""Statistics of confidences whose memory does not grow with the number of images."""

import numpy as np
import torch
from mmengine.dist import all_reduce
from torch import Tensor

from .confidences import Confidences


def _bits(value: float) -> int:
    """Return the bit pattern of a positive float32 as an integer, which grows with the value."""
    return int(np.float32(value).view(np.int32))


# Three ranges of bins. A bin is a bit pattern without its last SHIFT bits, or OVER_SHIFT bits in the third range.
SHIFT, OVER_SHIFT = 11, 9  # 12 and 14 of the 23 bits of a mantissa are kept
LOW = (_bits(2**-40) >> SHIFT) - 1  # q < 0.5 is in bin bits(q) - LOW, below 2^-40 in bin 0
HIGH = (_bits(0.5) >> SHIFT) - LOW  # the bin of q = 0.5
MIRROR = HIGH + (_bits(0.5) - 1 >> SHIFT)  # 0.5 <= q < 1 is in bin MIRROR - bits(1 - q)
ONE = MIRROR - (_bits(2**-24) - 1 >> SHIFT) + 1  # the bin of q = 1; the float32 before it is 1 - 2^-24
OVER = ONE - (_bits(1) >> OVER_SHIFT)  # 1 <= q <= 2 is in bin bits(q) + OVER
NUM_BINS = (_bits(2) >> OVER_SHIFT) + OVER + 1


def bin_of(confidence: Tensor) -> Tensor:
    """Return the bins, int32 in [0, NUM_BINS), of float32 confidences (any shape); see :class:`ConfidenceHistogram`."""
    q = confidence.clamp(0, 2)
    bits = q.view(torch.int32)
    low = (bits >> SHIFT).sub_(LOW).clamp_(min=0)
    # Subtract 1 before shifting, so that the lower edge of every bin is a value whose dropped bits are zero.
    high = MIRROR - ((1 - q).view(torch.int32) - 1 >> SHIFT)
    over = (bits >> OVER_SHIFT).add_(OVER).clamp_(0, NUM_BINS - 1)  # NaN needs a valid index, too
    return torch.where(q < 0.5, low, torch.where(q < 1, high, over))


def lower_edge(bins: np.ndarray) -> np.ndarray:
    """Return the smallest confidence of each bin: float64 that hold float32 values, in the shape of ``bins``."""
    bins = bins.astype(np.int32)
    low = np.where(bins > 0, bins + LOW << SHIFT, 0).view(np.float32)
    high = 1 - (MIRROR - bins + 1 << SHIFT).view(np.float32)
    over = (bins - OVER << OVER_SHIFT).view(np.float32)
    return np.select([bins < HIGH, bins < ONE], [low, high], over).astype(np.float64)


class ConfidenceHistogram(Confidences):
    r"""A histogram of 270 339 bins for each class: 2 MiB of int64 for a class and any number of images.

    A bin is a range of float32 bit patterns with the same leading bits:

    ================= ================= ======================= ===============================================
    confidence q      cut               width of a bin          because
    ================= ================= ======================= ===============================================
    [0, 2^-40)        one bin           2^-40                   is as good as 0
    [2^-40, 0.5)      12 bits of q      2^-12 q, at most 2^-14  a spatial prior scales confidences to 1e-6 or 1e-9
    [0.5, 1)          12 bits of 1 - q  2^-12 (1 - q), at most  networks saturate. 1 - q is exact, and from
                                        2^-14                   1 - 2^-12 on each float32 has its own bin
    [1, 2]            14 bits of q      2^-14                   bicubic resampling overshoots
    ================= ================= ======================= ===============================================

    Values above 2 count as 2. :meth:`kth_largest` returns t, the smallest confidence of the bin that contains the exact
    order statistic x:

    .. math:: 0 \le x - t \le 2^{-14} < 10^{-4}, \qquad x - t \le 2^{-12} x \text{ for } x \ge 2^{-40},
       \qquad x - t \le 2^{-12} (1 - t) \text{ for } 0.5 \le x < 1

    (x at most 2). Since :math:`t \le x`, t selects every pixel that x selects (:math:`q \ge x`). All pixels that t
    selects in addition are in the bin of x. Every float32 of 12 mantissa bits (0, 0.25, 0.9375, 1, ...) is found
    exactly.
    """

    def __init__(self, num_classes: int, rate: int = 1) -> None:
        super().__init__(num_classes, rate)
        # The last two elements count unused slots and invalid pixels, which have no bin.
        self._histogram = torch.zeros(num_classes * NUM_BINS + 2, dtype=torch.int64)

    def _count(self, values: Tensor, labels: Tensor, invalid: Tensor) -> None:
        places = (labels.to(torch.int32) * NUM_BINS + bin_of(values)).clamp_(max=self.num_classes * NUM_BINS)
        self._histogram = self._histogram.to(values.device)
        self._histogram.index_add_(0, places, self._histogram.new_ones(1).expand(len(places)))
        self._histogram[-1] += invalid

    @property
    def _bins(self) -> Tensor:
        """The counts (C, NUM_BINS); raises ValueError if invalid pixels were added."""
        if self._histogram[-1]:
            raise self._invalid(int(self._histogram[-1]))
        return self._histogram[:-2].view(self.num_classes, NUM_BINS)

    @property
    def counts(self) -> np.ndarray:
        return self._bins.sum(dim=1).cpu().numpy()

    def kth_largest(self, ranks: np.ndarray) -> np.ndarray:
        return _kth_largest(self._bins, ranks)

    def kth_largest_overall(self, rank: int) -> float:
        return _kth_largest(self._bins.sum(dim=0, keepdim=True), np.array([rank])).item()

    def merge(self, other: Confidences) -> None:
        self._check_layout(other.layout)  # before the assertion, because this error names the remedy
        assert isinstance(other, ConfidenceHistogram)
        self._histogram += other._histogram.to(self._histogram.device)

    def all_reduce(self) -> None:
        all_reduce(self._histogram)

    def state(self) -> dict[str, np.ndarray]:
        used = self._histogram.nonzero()[:, 0]
        return dict(layout=self.layout, places=used.cpu().numpy(), numbers=self._histogram[used].cpu().numpy())

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self._check_layout(state['layout'])
        self._histogram = torch.zeros_like(self._histogram, device='cpu')
        self._histogram[torch.from_numpy(state['places'])] = torch.from_numpy(state['numbers'])

    @property
    def layout(self) -> np.ndarray:
        return np.array([self.num_classes, self.rate, NUM_BINS])


def _kth_largest(bins: Tensor, ranks: np.ndarray) -> np.ndarray:
    """Return the order statistics (K,) of K histograms (K, NUM_BINS)."""
    up_to = bins.cumsum(dim=1)
    counts = up_to[:, -1].cpu().numpy()
    below = torch.from_numpy(counts - ranks)[:, None].to(up_to.device)
    found = torch.searchsorted(up_to, below, right=True)[:, 0].cpu().numpy()
    return np.where((ranks >= 1) & (ranks <= counts), lower_edge(found), 0)

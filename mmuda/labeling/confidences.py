"""The most likely class of each pixel, and statistics of the confidence in each class."""

from abc import ABC, abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import all_gather_object, is_distributed
from torch import Tensor

from mmuda.constants import IGNORE_INDEX

BLOCK = 2**20  # values of a block: its temporaries fit into the CPU cache, which takes a third of the time


def row_blocks(maps: Tensor) -> tuple[Tensor, ...]:
    """Return views of (C, H, W) maps: blocks of rows of about :data:`BLOCK` values."""
    return maps.split(max(1, BLOCK // (maps.shape[0] * maps.shape[2])), dim=1)


def most_likely(scores: Tensor, divisors: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the greatest score of each pixel and its class; of classes with equal scores, the lowest.

    ``scores.max(dim=0)`` takes longer on a CPU and does not define the class of equal scores.

    Args:
        scores: (C, H, W), at most 255 classes.
        divisors: (C,). The scores are divided by them first, in the dtype of the scores.

    Returns:
        Scores (H, W), and classes (H, W) uint8. A pixel with a NaN score has the score NaN and the class 255.
    """
    # The lowest class has the greatest code, so the greatest code gives the lowest of several best classes. NaN is
    # equal to nothing, so its code is 0 and its class 255.
    codes = IGNORE_INDEX - torch.arange(len(scores), dtype=torch.uint8, device=scores.device)[:, None, None]
    best, labels = [], []
    for block in row_blocks(scores):
        if divisors is not None:
            block = block / divisors[:, None, None].to(block)
        best.append(block.amax(dim=0))
        labels.append(IGNORE_INDEX - (block == best[-1]).view(torch.uint8).mul_(codes).amax(dim=0))
    return torch.cat(best), torch.cat(labels)


def argmax_classes(scores: Tensor) -> Tensor:
    """Return ``scores.argmax(dim=0)``, on a CPU in a seventh of its time.

    Args:
        scores: (C, H, W) of a floating-point type.

    Returns:
        (H, W) int64.
    """
    if scores.device.type == 'cpu' and len(scores) < IGNORE_INDEX:
        labels = most_likely(scores)[1]
        if labels.numel() and int(labels.max()) < len(scores):  # no NaN
            return labels.long()
    return scores.argmax(dim=0)


def check_rate(rate: int) -> None:
    """Raise ValueError unless ``rate`` is a whole number of at least 1."""
    if not isinstance(rate, int) or rate < 1:
        raise ValueError(f'rate={rate!r}: must be a whole number of at least 1 (1 uses every pixel)')


class Confidences(ABC):
    """Order statistics of the confidences in each class over many images.

    In each image the confidences of the pixels of a class are taken in row-major order. The first and then every
    ``rate``-th of them is kept. Negative confidences (bicubic resampling undershoots) count as 0. The greatest
    confidence has rank 1.

    Args:
        num_classes: C, at most 255.
        rate: 1 keeps every pixel; CBST keeps every fourth.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_classes: int, rate: int = 1) -> None:
        if not 1 <= num_classes <= IGNORE_INDEX:
            raise ValueError(f'num_classes={num_classes}: must be 1 to {IGNORE_INDEX}, as labels have 8 bits')
        check_rate(rate)
        self.num_classes = num_classes
        self.rate = rate

    def add(self, confidence: Tensor, labels: Tensor) -> None:
        """Add one image. A histogram on a GPU needs no synchronisation with the host.

        Args:
            confidence: (H, W) float32.
            labels: (H, W) integers below C, as :func:`most_likely` returns them; fastest as uint8.

        Raises:
            ValueError: If a shape or dtype is wrong. Also if a confidence is NaN or a label is C or more: immediately
                with exact statistics; with a histogram when :attr:`counts` or a rank is read next.
        """
        if confidence.shape != labels.shape or confidence.ndim != 2 or confidence.dtype != torch.float32:
            raise ValueError(
                f'confidence is {confidence.dtype} {tuple(confidence.shape)}, labels are '
                f'{tuple(labels.shape)}: expected float32 (H, W) and labels of the same size'
            )
        invalid = confidence.isnan() | (labels >= self.num_classes) | (labels < 0)
        labels = labels.to(torch.uint8)
        self._count(*self._sample(confidence.flatten(), labels.flatten()), invalid.sum())

    def _sample(self, values: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the kept confidences and their classes, both (K,).

        K depends only on the image size and ``rate``, so no host sync is needed. Unused slots have class C.
        """
        if self.rate == 1:
            return values, labels
        labels, order = labels.sort(stable=True)
        classes = torch.arange(self.num_classes + 1, dtype=torch.uint8, device=labels.device)
        first = torch.searchsorted(labels, classes)  # where each class begins in `order`
        end = ((first.diff() + self.rate - 1) // self.rate).cumsum(0)  # the slots of a class end here
        slots = torch.arange(len(values) // self.rate + self.num_classes, device=labels.device)
        owner = torch.searchsorted(end, slots, right=True)
        start = first - self.rate * F.pad(end, (1, 0))
        places = (start[owner] + self.rate * slots).clamp_(max=len(values) - 1)
        return values[order[places]], owner

    def _invalid(self, count: int) -> ValueError:
        return ValueError(
            f'{count} pixels are NaN or of a class outside 0..{self.num_classes - 1}: the network has '
            f'diverged, or it has another number of classes than {self.num_classes}'
        )

    @abstractmethod
    def _count(self, values: Tensor, labels: Tensor, invalid: Tensor) -> None:
        """Store the values (K,) of classes (K,) below C; ``invalid`` is the number of NaN values and wrong labels."""

    @property
    @abstractmethod
    def counts(self) -> np.ndarray:
        """Number of kept confidences of each class, (C,) int64."""

    @property
    def total(self) -> int:
        """Number of kept confidences of all classes."""
        return int(self.counts.sum())

    @abstractmethod
    def kth_largest(self, ranks: np.ndarray) -> np.ndarray:
        """Return the confidence of a given rank in each class.

        Args:
            ranks: (C,) integers; the greatest confidence has rank 1.

        Returns:
            (C,) float64 that hold float32 values; 0 where the rank is below 1 or above the count.
        """

    @abstractmethod
    def kth_largest_overall(self, rank: int) -> float:
        """Return the confidence of a given rank among all classes together; 0 if no confidence has this rank."""

    @abstractmethod
    def merge(self, other: 'Confidences') -> None:
        """Add everything that ``other`` has collected.

        Raises:
            ValueError: If ``other`` has another :attr:`layout`.
        """

    @abstractmethod
    def all_reduce(self) -> None:
        """Merge the statistics of all processes, and store the sum in each. A single process changes nothing."""

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Return the collected statistics as arrays."""

    @abstractmethod
    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Replace the collected statistics by a :meth:`state`.

        Raises:
            ValueError: If the state has another :attr:`layout`.
        """

    @property
    def layout(self) -> np.ndarray:
        """Settings that must be equal in statistics that are merged or loaded."""
        return np.array([self.num_classes, self.rate])

    def _check_layout(self, layout: np.ndarray) -> None:
        if not np.array_equal(layout, self.layout):
            raise ValueError(
                f'statistics of layout {np.asarray(layout).tolist()} do not fit a {type(self).__name__} '
                f'of layout {self.layout.tolist()} (classes, rate, bins): collect them again'
            )


class ExactConfidences(Confidences):
    """All confidences, 5 bytes each: for small data, and as the reference for :class:`ConfidenceHistogram`."""

    def __init__(self, num_classes: int, rate: int = 1) -> None:
        super().__init__(num_classes, rate)
        self._values: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def _count(self, values: Tensor, labels: Tensor, invalid: Tensor) -> None:
        if invalid:
            raise self._invalid(int(invalid))
        kept = labels < self.num_classes
        self._values.append(values[kept].clamp(min=0).cpu().numpy())
        self._labels.append(labels[kept].to(torch.uint8).cpu().numpy())

    def _gathered(self) -> tuple[np.ndarray, np.ndarray]:
        self._values = [np.concatenate([np.empty(0, np.float32), *self._values])]
        self._labels = [np.concatenate([np.empty(0, np.uint8), *self._labels])]
        return self._values[0], self._labels[0]

    @property
    def counts(self) -> np.ndarray:
        return np.bincount(self._gathered()[1], minlength=self.num_classes)

    def kth_largest(self, ranks: np.ndarray) -> np.ndarray:
        counts = self.counts
        found = (ranks >= 1) & (ranks <= counts)
        places = (counts.cumsum() - ranks)[found]
        values, labels = self._gathered()
        result = np.zeros(self.num_classes)
        result[found] = values[np.lexsort((values, labels))[places]]
        return result

    def kth_largest_overall(self, rank: int) -> float:
        values, _ = self._gathered()
        return float(np.partition(values, -rank)[-rank]) if 1 <= rank <= len(values) else 0.0

    def merge(self, other: Confidences) -> None:
        self._check_layout(other.layout)  # before the assertion, because this error names the remedy
        assert isinstance(other, ExactConfidences)
        self._values += other._values
        self._labels += other._labels

    def all_reduce(self) -> None:
        if is_distributed():
            states = all_gather_object(self.state())
            self._values = [state['values'] for state in states]
            self._labels = [state['labels'] for state in states]

    def state(self) -> dict[str, np.ndarray]:
        values, labels = self._gathered()
        return dict(layout=self.layout, values=values, labels=labels)

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        self._check_layout(state['layout'])
        self._values, self._labels = [state['values']], [state['labels']]

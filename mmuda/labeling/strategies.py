"""Strategies: the rules of the papers that decide which pixels become pseudo labels."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from mmuda.constants import IGNORE_INDEX
from mmuda.registry import LABEL_STRATEGIES

from .confidences import Confidences, ExactConfidences, check_rate, most_likely
from .histogram import ConfidenceHistogram


class Strategy(ABC):
    """Rule that decides which pixels get a pseudo label. Its attributes are the arguments of its constructor."""

    @abstractmethod
    def label(self, prob: Tensor, thresholds: Tensor | None) -> Tensor:
        """Return the pseudo labels of one image.

        Args:
            prob: (C, H, W) float32; it is not changed.
            thresholds: (C,) float64 on any device if this is a :class:`ThresholdStrategy`; otherwise None.

        Returns:
            (H, W) uint8 train ids; 255 is ignored. A pixel with NaN gets 255.

        Raises:
            ValueError: If a strategy with thresholds gets none, or a wrong shape or dtype.
        """

    def describe(self) -> dict:
        """Return type and arguments as plain values."""
        return dict(type=type(self).__name__, **vars(self))


class ThresholdStrategy(Strategy):
    """Base of strategies that compare the confidence of a pixel with the threshold of its class.

    A first pass adds the confidences of all images (each process its share) to :meth:`new_statistics`.
    :meth:`thresholds` turns the merged statistics into the thresholds that :meth:`label` applies in a second pass.
    """

    @abstractmethod
    def new_statistics(self, num_classes: int) -> Confidences:
        """Return empty statistics."""

    @abstractmethod
    def thresholds(self, statistics: Confidences) -> np.ndarray:
        """Return the thresholds, (C,) float64."""

    def sizes(self, statistics: Confidences) -> np.ndarray:
        """Return the size of each class for small-class mining, (C,) int64."""
        return statistics.counts


def _checked(prob: Tensor, thresholds: Tensor | None) -> Tensor:
    """Check shapes and dtypes, and return the thresholds (C,) as float64 on the device of the probabilities."""
    if thresholds is None:
        raise ValueError('thresholds are missing: collect statistics first')
    thresholds = torch.as_tensor(thresholds, dtype=torch.float64, device=prob.device)
    if prob.dtype != torch.float32 or prob.ndim != 3 or thresholds.shape != prob.shape[:1]:
        raise ValueError(
            f'probabilities are {prob.dtype} {tuple(prob.shape)}, thresholds {tuple(thresholds.shape)}: '
            'expected float32 (C, H, W) and (C,)'
        )
    return thresholds


class PortionStrategy(ThresholdStrategy):
    r"""Base of the two policies of CBST (Zou et al., ECCV 2018, as the authors' code).

    With thresholds :math:`t_c = \exp(-k_c)` and :math:`R_c = p_c / t_c` in float32, a pixel has the label
    :math:`\arg\max_c R_c` (the lowest class if several are equal) if :math:`\max_c R_c \ge 1`. A threshold of 0 means
    that there is none. It is replaced by 1, which only probabilities of 1 and more reach.

    Args:
        portion: Share of the pixels that become labels, in [0, 1]. With 1 the threshold is one of the zeros that the
            authors append to the confidences, so nothing is labelled.
        rate: Every ``rate``-th pixel counts, see :class:`Confidences`; the authors' value is 4.
        exact: Keep all confidences instead of a histogram.
    """

    def __init__(self, portion: float, rate: int = 4, exact: bool = False) -> None:
        if not 0 <= portion <= 1:
            raise ValueError(f'portion={portion}: must be in [0, 1], the share of the pixels that become labels')
        check_rate(rate)
        self.portion = float(portion)
        self.rate = rate
        self.exact = exact

    def new_statistics(self, num_classes: int) -> Confidences:
        return (ExactConfidences if self.exact else ConfidenceHistogram)(num_classes, self.rate)

    @abstractmethod
    def raw_thresholds(self, statistics: Confidences) -> np.ndarray:
        """Return the thresholds as the authors store them, (C,) float64; 0 where there is none."""

    def thresholds(self, statistics: Confidences) -> np.ndarray:
        raw = self.raw_thresholds(statistics)
        return np.where(raw == 0, 1, raw)

    def sizes(self, statistics: Confidences) -> np.ndarray:
        """Return the kept pixels of each class plus the appended zero, (C,) int64; 0 for a class without pixels."""
        counts = statistics.counts
        return counts + (counts > 0)

    def reweighted(self, prob: Tensor, thresholds: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the greatest ratio of probability and threshold, (H, W) float32, and its class, (H, W) uint8.

        Args:
            prob: (C, H, W) float32.
            thresholds: (C,).

        Raises:
            ValueError: If thresholds are None, or a shape or dtype is wrong.
        """
        return most_likely(prob, _checked(prob, thresholds))

    def label(self, prob: Tensor, thresholds: Tensor | None) -> Tensor:
        ratio, labels = self.reweighted(prob, thresholds)
        return labels.masked_fill_(ratio < 1, IGNORE_INDEX)


@LABEL_STRATEGIES.register_module()
class ClassBalanced(PortionStrategy):
    """CBST: the threshold of a class keeps ``portion`` of the pixels predicted as that class (policy "cb").

    The threshold is the confidence of rank floor(n * portion) of the n confidences of the class, which include one
    appended zero.
    """

    def raw_thresholds(self, statistics: Confidences) -> np.ndarray:
        return statistics.kth_largest(np.floor(self.sizes(statistics) * self.portion).astype(np.int64))


@LABEL_STRATEGIES.register_module()
class Global(PortionStrategy):
    """ST: one threshold keeps ``portion`` of all pixels (policy "global").

    The threshold is the confidence of rank floor(n * portion) of all n confidences, which include C + 1 appended zeros.
    In the authors' code every class has size n, so mining picks classes by accident. Here :meth:`sizes` returns the
    size of each class.
    """

    def raw_thresholds(self, statistics: Confidences) -> np.ndarray:
        n = statistics.total + statistics.num_classes + 1
        return np.full(statistics.num_classes, statistics.kth_largest_overall(int(n * self.portion)))


@LABEL_STRATEGIES.register_module()
class MedianCap(ThresholdStrategy):
    """Threshold of a class: its median, at most ``cap`` (SIM, Wang et al., CVPR 2020, and SDCA, as the authors' code).

    The median of n confidences in ascending order is the one with index rint(n / 2); indices begin with 0, and halves
    are rounded to even. It is 0 for n = 0. A pixel below the threshold of its class is ignored.

    Args:
        cap: Greatest threshold, in (0, 1].
        exact: Keep all confidences instead of a histogram.
    """

    def __init__(self, cap: float = 0.9, exact: bool = False) -> None:
        if not 0 < cap <= 1:
            raise ValueError(f'cap={cap}: must be in (0, 1]; pixels of this confidence always become labels')
        self.cap = float(cap)
        self.exact = exact

    def new_statistics(self, num_classes: int) -> Confidences:
        return (ExactConfidences if self.exact else ConfidenceHistogram)(num_classes)

    def thresholds(self, statistics: Confidences) -> np.ndarray:
        counts = statistics.counts
        medians = statistics.kth_largest(counts - np.rint(counts / 2).astype(np.int64))
        return np.minimum(medians, self.cap)

    def label(self, prob: Tensor, thresholds: Tensor | None) -> Tensor:
        exact = _checked(prob, thresholds)
        confidence, labels = most_likely(prob)
        # Comparing with the next larger float32 is the same as comparing in float64, without a float64 copy of the map.
        rounded = exact.float()
        up = rounded.nextafter(torch.full_like(rounded, torch.inf))
        least = torch.zeros(IGNORE_INDEX + 1, device=prob.device)
        least[: len(exact)] = torch.where(rounded < exact, up, rounded)
        return labels.masked_fill_(confidence < least[labels.long()], IGNORE_INDEX)


@LABEL_STRATEGIES.register_module()
class Argmax(Strategy):
    """The most likely class of every pixel, in one pass (IntraDA, Pan et al., CVPR 2020)."""

    def label(self, prob: Tensor, thresholds: Tensor | None = None) -> Tensor:
        return most_likely(prob)[1]

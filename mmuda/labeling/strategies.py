"""Which pixels become pseudo labels: the rules of the papers."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from mmuda.constants import IGNORE_INDEX
from mmuda.registry import LABEL_STRATEGIES

from .confidences import Confidences, ExactConfidences, check_rate, most_likely
from .histogram import ConfidenceHistogram


class Strategy(ABC):
    """Which pixels get a pseudo label. Attributes are the arguments of the constructor."""

    @abstractmethod
    def label(self, prob: Tensor, thresholds: Tensor | None) -> Tensor:
        """Return the pseudo labels of one image.

        Args:
            prob: (C, H, W) float32; it is not changed.
            thresholds: (C,) float64 on any device, of a :class:`ThresholdStrategy`; otherwise None.

        Returns:
            (H, W) uint8 train ids; 255 is ignored, as is a pixel with NaN.

        Raises:
            ValueError: If shapes or types are others.
        """

    def describe(self) -> dict:
        """Return type and arguments as plain values."""
        return dict(type=type(self).__name__, **vars(self))


class ThresholdStrategy(Strategy):
    """Base of strategies that compare confidences with thresholds of the classes.

    A first pass collects the confidences of all images (each process its share) in :meth:`new_statistics`.
    :meth:`thresholds` turns the merged statistics into the thresholds that :meth:`label` applies in a second pass.
    """

    @abstractmethod
    def new_statistics(self, num_classes: int) -> Confidences:
        """Return empty statistics."""

    @abstractmethod
    def thresholds(self, statistics: Confidences) -> np.ndarray:
        """Return the thresholds, (C,) float64."""

    def sizes(self, statistics: Confidences) -> np.ndarray:
        """Return how large each class is for small-class mining, (C,) int64."""
        return statistics.counts


def _checked(prob: Tensor, thresholds: Tensor | None) -> Tensor:
    """Return the thresholds (C,) float64 on the device of the probabilities."""
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
    r"""Base of both policies of CBST (Zou et al., ECCV 2018, as the authors' code).

    With thresholds :math:`t_c = \exp(-k_c)` and :math:`R_c = p_c / t_c` in float32, a pixel has the label
    :math:`\arg\max_c R_c` (the lowest of equal ones) if :math:`\max_c R_c \ge 1`. A threshold of 0, that is none,
    becomes 1: only overshooting probabilities reach it.

    Args:
        portion: Share of the pixels that become labels, in [0, 1]. With 1 the threshold is one of the extra zeros, so
            nothing is labelled.
        rate: Every so many pixels count, see :class:`Confidences`; the authors' value is 4.
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
        """(C,) float64: thresholds as the authors store them, 0 where there is none."""

    def thresholds(self, statistics: Confidences) -> np.ndarray:
        raw = self.raw_thresholds(statistics)
        return np.where(raw == 0, 1, raw)

    def sizes(self, statistics: Confidences) -> np.ndarray:
        """(C,) int64: kept pixels of each class and one extra zero; 0 for a class that was never predicted."""
        counts = statistics.counts
        return counts + (counts > 0)

    def reweighted(self, prob: Tensor, thresholds: Tensor | None) -> tuple[Tensor, Tensor]:
        """Greatest ratio (H, W) float32 of probability (C, H, W) and threshold (C,), and its class (H, W) uint8."""
        return most_likely(prob, _checked(prob, thresholds))

    def label(self, prob: Tensor, thresholds: Tensor | None) -> Tensor:
        ratio, labels = self.reweighted(prob, thresholds)
        return labels.masked_fill_(ratio < 1, IGNORE_INDEX)


@LABEL_STRATEGIES.register_module()
class ClassBalanced(PortionStrategy):
    """CBST: the threshold of a class keeps ``portion`` of the pixels predicted as that class (policy "cb").

    Of n confidences, among them an extra zero, it is the one of rank floor(n * portion).
    """

    def raw_thresholds(self, statistics: Confidences) -> np.ndarray:
        return statistics.kth_largest(np.floor(self.sizes(statistics) * self.portion).astype(np.int64))


@LABEL_STRATEGIES.register_module()
class Global(PortionStrategy):
    """ST: one threshold keeps ``portion`` of all pixels (policy "global").

    Of all n confidences, among them C + 1 extra zeros, it is the one of rank floor(n * portion). The authors say that
    every class has size n, which makes mining pick classes by accident; :meth:`sizes` are those of the classes here.
    """

    def raw_thresholds(self, statistics: Confidences) -> np.ndarray:
        n = statistics.total + statistics.num_classes + 1
        return np.full(statistics.num_classes, statistics.kth_largest_overall(int(n * self.portion)))


@LABEL_STRATEGIES.register_module()
class MedianCap(ThresholdStrategy):
    """The median of a class, or ``cap`` if that is less (SIM, Wang et al., CVPR 2020, and SDCA, as the authors' code).

    Of n confidences in ascending order it is the one at index rint(n / 2), halves to even, from 0 on; 0 for n = 0.
    A pixel below the threshold of its class is ignored.

    Args:
        cap: Greatest threshold, in (0, 1].
        exact: Keep all confidences instead of a histogram.
    """

    def __init__(self, cap: float = 0.9, exact: bool = False) -> None:
        if not 0 < cap <= 1:
            raise ValueError(f'cap={cap}: must be in (0, 1], the confidence that is always enough')
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
    """Every pixel is labelled, in one pass (IntraDA, Pan et al., CVPR 2020)."""

    def label(self, prob: Tensor, thresholds: Tensor | None = None) -> Tensor:
        return most_likely(prob)[1]

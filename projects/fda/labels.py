"""Pseudo labels of FDA: the mean of several networks, and a threshold for each class."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mmuda.engine.kept_values import KeptValues
from mmuda.engine.probabilities import class_probabilities
from mmuda.labeling import MedianCap
from mmuda.labeling.confidences import Confidences
from mmuda.models.segmentors import network_weights
from mmuda.registry import LABEL_STRATEGIES, STAGES
from mmuda.stages import LabelStage
from mmuda.stages.context import StageContext
from mmuda.stages.inference import ImageSet

from .mean import weighted_mean


@LABEL_STRATEGIES.register_module()
class QuantileCap(MedianCap):
    """A quantile of the confidences of a class, or ``cap`` if that is less (FDA, Yang and Soatto, CVPR 2020).

    Of n confidences in ascending order it is the one at index rint(share * n), halves to even, or the last one; 0 for
    n = 0. (The released code fails if a class is predicted by a single pixel.) A pixel below the threshold of its class
    is ignored, so at least about ``1 - share`` of each class is labelled.

    Args:
        share: In [0, 1]; 0.66 in the released code.
        cap: Greatest threshold, in (0, 1].
        exact: Keep all confidences instead of a histogram.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, share: float = 0.66, cap: float = 0.9, exact: bool = False) -> None:
        super().__init__(cap, exact)
        if not 0 <= share <= 1:
            raise ValueError(f'share={share}: must be in [0, 1], the share of a class below the threshold')
        self.share = float(share)

    def thresholds(self, statistics: Confidences) -> np.ndarray:
        counts = statistics.counts
        below = np.minimum(np.rint(self.share * counts).astype(np.int64), counts - 1)
        return np.minimum(statistics.kth_largest(counts - below), self.cap)


@STAGES.register_module()
class BandLabelStage(LabelStage):
    """A :class:`LabelStage` that labels with the mean probabilities of several networks (FDA's multi-band transfer).

    Args:
        name: See :class:`LabelStage`.
        bands: ``'{stage}'`` of earlier trainings, or checkpoint files, one for each network.
        band_weights: Of the networks; by default equal ones.
        **kwargs: As :class:`LabelStage`, but ``weights``.

    Raises:
        ValueError: As :class:`LabelStage`; or if there is no network, or another number of weights.
    """

    def __init__(
        self, name: str, bands: Sequence[str], band_weights: Sequence[float] | None = None, **kwargs: Any
    ) -> None:
        if not bands:
            raise ValueError(f'stage {name!r}: bands names no network')
        super().__init__(name, bands[0], **kwargs)
        self.bands, self.band_weights = list(bands), network_weights(band_weights, len(bands))

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Add the networks and their weights."""
        models = [ctx.network_config(band).model for band in self.bands]
        return dict(super().settings(ctx), bands=self.bands, band_weights=self.band_weights, models=models)

    def inputs(self, ctx: StageContext) -> set[str]:
        """Add all networks."""
        return super().inputs(ctx) | set(self.bands)

    def probabilities(
        self, ctx: StageContext, images: ImageSet, keep_in: Path | None = None
    ) -> Callable[..., Iterator[Tensor]]:
        """Load the networks; return a function from places in the list of images to mean probabilities."""
        networks = [ctx.load_network(band, images.classes) for band in self.bands]
        kept = [None if keep_in is None else KeptValues(keep_in) for _ in networks]

        def predict(places: Sequence[int], at: str = self.at) -> Iterator[Tensor]:
            indices = [images.indices[place] for place in places]
            settings = (at, self.flip, self.batch_size, self.num_workers)
            streams = [
                class_probabilities(network, images.dataset, indices, *settings, outputs)
                for network, outputs in zip(networks, kept, strict=True)
            ]
            for maps in zip(*streams, strict=True):
                yield weighted_mean(maps, self.band_weights)

        return predict

    def facts(self, ctx: StageContext) -> dict[str, Any]:
        """Return what made the result, for its manifest."""
        found = super().facts(ctx)
        return dict(found, weights=' '.join(ctx.weights_digest(band) for band in self.bands))

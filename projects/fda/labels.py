"""Pseudo labels of FDA: mean probabilities of several networks, and a threshold for each class."""

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
    """Threshold of a class: a quantile of its confidences, at most ``cap`` (FDA, Yang and Soatto, CVPR 2020).

    The quantile of n confidences in ascending order is the one at index min(rint(share * n), n - 1), where rint rounds
    halves to even; it is 0 for n = 0. (The released code fails if a single pixel is predicted as a class.) A pixel
    whose confidence is below the threshold of its class is ignored, so at least about ``1 - share`` of each class is
    labelled.

    Args:
        share: Share of the confidences below the quantile, in [0, 1]; 0.66 in the released code.
        cap: Upper bound of the thresholds, in (0, 1].
        exact: Keep all confidences instead of a histogram.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, share: float = 0.66, cap: float = 0.9, exact: bool = False) -> None:
        super().__init__(cap, exact)
        if not 0 <= share <= 1:
            raise ValueError(f'share={share}: expected the share of a class below its threshold, in [0, 1]')
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
        bands: One entry for each network: ``'{stage}'``, the name of an earlier training in braces, or a checkpoint
            file.
        band_weights: Weights of the networks in the mean; by default equal ones.
        **kwargs: As :class:`LabelStage`, without ``weights``.

    Raises:
        ValueError: As :class:`LabelStage`, or if ``bands`` is empty or ``band_weights`` has another length.
    """

    def __init__(
        self, name: str, bands: Sequence[str], band_weights: Sequence[float] | None = None, **kwargs: Any
    ) -> None:
        if not bands:
            raise ValueError(f'stage {name!r}: bands is empty, expected one training or checkpoint for each network')
        super().__init__(name, bands[0], **kwargs)
        self.bands, self.band_weights = list(bands), network_weights(band_weights, len(bands))

    def settings(self, ctx: StageContext) -> dict[str, Any]:
        """Return the settings of :class:`LabelStage`, with the networks and their weights."""
        models = [ctx.network_config(band).model for band in self.bands]
        return dict(super().settings(ctx), bands=self.bands, band_weights=self.band_weights, models=models)

    def inputs(self, ctx: StageContext) -> set[str]:
        """Return the inputs of :class:`LabelStage`, with all networks."""
        return super().inputs(ctx) | set(self.bands)

    def probabilities(
        self, ctx: StageContext, images: ImageSet, keep_in: Path | None = None
    ) -> Callable[..., Iterator[Tensor]]:
        """Load the networks, and return a function from image positions to mean probabilities (C, H, W)."""
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
        """Return the facts for the manifest, with the digests of all weights."""
        found = super().facts(ctx)
        return dict(found, weights=' '.join(ctx.weights_digest(band) for band in self.bands))

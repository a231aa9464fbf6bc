"""SDCA: contrast with the distributions of classes."""

from collections.abc import Iterator

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..labels import confident_labels, labels_of, nearest_labels
from ..losses import contrastive_bound
from ..memories.class_statistics import ClassStatistics
from ..segmentors import SegOutputs
from .base import BaseAdaptor, Losses


@MODELS.register_module()
class SDCA(BaseAdaptor):
    r"""Semantic distribution-aware contrastive adaptation (Li et al., 2021, arXiv:2105.05013).

    Features of both domains are drawn to the distribution of their class on the source and away from those of the other
    classes, by :func:`contrastive_bound`; likewise the low-resolution logits ("output level"):

    .. math:: L = L_{CE} + \lambda_{lov} L_{Lov} + \lambda_{feat} (L_{feat}^s + L_{feat}^t)
       + \lambda_{out} (L_{out}^s + L_{out}^t)

    Distributions are mean and diagonal variance of all source pixels seen so far, of this iteration too: they are
    updated before the losses. Source pixels have their true class (labels sampled at the resolution of the features),
    target pixels the predicted one if its probability is at least ``delta``; no such pixel, no loss. Target pixels
    never touch the distributions. A stage with :meth:`gather` starts them from one pass over the source.

    Args:
        segmentor: As in :class:`BaseAdaptor`; the features are those that its decode head reads.
        tau: Temperature of the contrast.
        delta: Smallest probability of a target pixel that takes part. (The first version of the released code compared
            it with logits.)
        multi_level: Contrast the logits too.
        reduce_statistics: Distributions of the images of all processes, see :class:`ClassStatistics`.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main``, ``lov_main``, ``feat`` and ``out``, and
            ``seg_aux`` if there are auxiliary heads.

    Raises:
        ValueError: If tau is not positive or the decode head reads several feature maps. In the first iteration: if its
            logits have another size than these.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, lov_main=0.75, feat=1.0, out=1.0)

    def __init__(
        self,
        segmentor: dict,
        tau: float = 100.0,
        delta: float = 0.9,
        multi_level: bool = True,
        reduce_statistics: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(segmentor, **kwargs)
        self.tau, self.delta, self.reduce_statistics = tau, delta, reduce_statistics
        if not tau > 0:
            raise ValueError(f'SDCA: tau={tau}, expected a positive temperature')
        classes, channels = self.num_classes, self.feature_channels
        self.feature_statistics = ClassStatistics(classes, channels, reduce_statistics)
        self.output_statistics = ClassStatistics(classes, classes, reduce_statistics) if multi_level else None

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        outputs = self.segment(source)
        labels = self.source_labels(outputs, source)
        self.update(outputs, labels)
        yield 'segmentor', {**self.supervised_losses(outputs, source), **self.contrast(outputs, labels, 'source')}
        del outputs

        with self.without_heads(auxiliary_only=self.output_statistics is not None):
            outputs = self.segment(target)
        labels = confident_labels(outputs.logits['main'], self.delta)
        yield 'segmentor', self.contrast(outputs, labels, 'target')

    @torch.no_grad()
    def gather(self, batch: dict) -> None:
        """Take the images of a labelled batch into the distributions, without training.

        Args:
            batch: ``inputs`` (N, 3, H, W) and labelled ``data_samples``, preprocessed.
        """
        outputs = self.segment(batch)
        self.update(outputs, self.source_labels(outputs, batch))

    def source_labels(self, outputs: SegOutputs, batch: dict) -> Tensor:
        """Labels (N, h, w) of a batch at the resolution of the logits."""
        return nearest_labels(labels_of(batch), tuple(outputs.logits['main'].shape[-2:]))

    def update(self, outputs: SegOutputs, labels: Tensor) -> None:
        """Take the pixels of source images into the distributions."""
        for statistics, maps in self.views(outputs).values():
            statistics.update(maps, labels)

    def contrast(self, outputs: SegOutputs, labels: Tensor, side: str) -> Losses:
        """The contrastive losses of one domain."""
        losses: Losses = {}
        for name, (statistics, maps) in self.views(outputs).items():
            loss = contrastive_bound(maps, labels, statistics.mean, statistics.variance, self.tau)
            self.log(**{f'loss_{name}_{side}': loss})
            losses[f'loss_{name}_{side}'] = loss * self.loss_weights[name]
        return losses

    def views(self, outputs: SegOutputs) -> dict[str, tuple[ClassStatistics, Tensor]]:
        """By name of the loss: distributions, and the maps (N, D, h, w) that they are of."""
        features, logits = self.head_features(outputs), outputs.logits['main']
        if features.shape[-2:] != logits.shape[-2:]:
            raise ValueError(
                'SDCA compares features and predictions pixel by pixel, but the features are '
                f'{tuple(features.shape[-2:])} and the logits {tuple(logits.shape[-2:])}: choose a decode head that '
                'keeps the size'
            )
        views = dict(feat=(self.feature_statistics, features))
        if self.output_statistics is not None:
            views['out'] = (self.output_statistics, logits)
        return views

"""SDCA: contrastive learning against class distributions."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..labels import confident_labels, labels_of, nearest_labels
from ..losses import contrastive_bound
from ..memories.class_statistics import ClassStatistics
from ..segmentors import SegOutputs
from .base import Losses
from .lovasz import LovaszAdaptor


class ContrastView(NamedTuple):
    """Pixel vectors, and the class distributions that they are compared with.

    Attributes:
        statistics: Class distributions of vectors with D dimensions.
        maps: Pixel vectors, (N, D, h, w).
    """

    statistics: ClassStatistics
    maps: Tensor


@MODELS.register_module()
class SDCA(LovaszAdaptor):
    r"""Semantic distribution-aware contrastive adaptation (Li et al., 2021, arXiv:2105.05013).

    The loss :func:`contrastive_bound` pulls the features of both domains towards the source distribution of their class
    and away from the distributions of the other classes. The same loss is applied to the low-resolution logits
    ("output level"):

    .. math:: L = L_{CE} + \lambda_{lov} L_{Lov} + \lambda_{feat} (L_{feat}^s + L_{feat}^t)
       + \lambda_{out} (L_{out}^s + L_{out}^t)

    The distribution of a class is the mean and diagonal variance of all source pixels of this class seen so far. It is
    updated before the losses of an iteration, so it includes the current images. Target pixels never change it. The
    class of a source pixel is its label, sampled at the resolution of the features. The class of a target pixel is the
    predicted one, if its probability is at least ``delta``; without such a pixel the loss is 0. :meth:`gather`
    initialises the distributions in one pass over the source.

    Args:
        segmentor: As in :class:`BaseAdaptor`; the method uses the feature map that is the input of the decode head.
        tau: Temperature of the contrastive loss.
        delta: Smallest probability of a target pixel that contributes. (The first version of the released code compared
            it with logits.)
        multi_level: Also apply the loss to the logits.
        reduce_statistics: Include the images of all processes in the distributions, see :class:`ClassStatistics`.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main``, ``lov_main``, ``feat`` and ``out``, and
            ``seg_aux`` if there are auxiliary heads.

    Raises:
        ValueError: If tau is not positive or the decode head takes several feature maps. In the first iteration, if
            logits and features differ in size.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, lov_main=0.75, feat=1.0, out=1.0)

    def __init__(
        self,
        segmentor: dict,
        tau: float = 100.0,
        delta: float = 0.9,
        multi_level: bool = True,
        reduce_statistics: bool = True,
        **kwargs: Any,
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
        self.update_statistics(outputs, labels)
        yield 'segmentor', self.supervised_losses(outputs, source) | self.contrastive_losses(outputs, labels, 'source')
        del outputs

        with self.without_heads(auxiliary_only=self.output_statistics is not None):
            outputs = self.segment(target)
        labels = confident_labels(outputs.logits['main'], self.delta)
        yield 'segmentor', self.contrastive_losses(outputs, labels, 'target')

    @torch.no_grad()
    def gather(self, batch: dict) -> None:
        """Add the pixels of a labelled batch to the distributions, without training.

        Args:
            batch: ``inputs`` (N, 3, H, W) and labelled ``data_samples``, preprocessed.
        """
        outputs = self.segment(batch)
        self.update_statistics(outputs, self.source_labels(outputs, batch))

    def source_labels(self, outputs: SegOutputs, batch: dict) -> Tensor:
        """Return the labels (N, h, w) of a batch at the resolution of the logits."""
        return nearest_labels(labels_of(batch), outputs.logits['main'].shape[-2:])

    def update_statistics(self, outputs: SegOutputs, labels: Tensor) -> None:
        """Add the pixels of source images to the distributions.

        Args:
            outputs: Outputs for the images.
            labels: (N, h, w) int64 at the resolution of the logits.
        """
        for view in self.contrast_views(outputs).values():
            view.statistics.update(view.maps, labels)

    def contrastive_losses(self, outputs: SegOutputs, labels: Tensor, domain: str) -> Losses:
        """Return ``loss_feat_<domain>`` and, with ``multi_level``, ``loss_out_<domain>``, weighted.

        Args:
            outputs: Outputs for the images of one domain.
            labels: (N, h, w) int64 at the resolution of the logits; 255 is ignored.
            domain: ``'source'`` or ``'target'``.
        """
        losses: Losses = {}
        for term, (statistics, maps) in self.contrast_views(outputs).items():
            loss = contrastive_bound(maps, labels, statistics.mean, statistics.variance, self.tau)
            losses |= self.weigh(term, loss, domain)
        return losses

    def contrast_views(self, outputs: SegOutputs) -> dict[str, ContrastView]:
        """Return the pixel vectors and their distributions by loss term: ``feat`` and, with ``multi_level``, ``out``.

        Raises:
            ValueError: If features and logits differ in size.
        """
        features, logits = self.head_features(outputs), outputs.logits['main']
        if features.shape[-2:] != logits.shape[-2:]:
            raise ValueError(
                'SDCA compares features and predictions pixel by pixel, but the features are '
                f'{tuple(features.shape[-2:])} and the logits {tuple(logits.shape[-2:])} (H, W): choose a decode head '
                'that keeps the size'
            )
        views = dict(feat=ContrastView(self.feature_statistics, features))
        if self.output_statistics is not None:
            views['out'] = ContrastView(self.output_statistics, logits)
        return views

"""DAFormer: DACS with a transformer, rare-class sampling, and features that stay close to those of ImageNet."""

import logging
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmseg.registry import MODELS
from torch import Tensor

from mmuda.models import DACS, SegOutputs
from mmuda.models.adaptors import Losses
from mmuda.models.labels import labels_of

from .feature_distance import THINGS, ReferenceFeatures, class_table, feature_distance, majority_labels

DACS_SETTINGS: dict[str, Any] = dict(teacher_update='before_forward', classes_of='batch', source_mean='all')
"""Settings of :class:`DACS` with which DAFormer was published."""


@MODELS.register_module()
class DAFormer(DACS):
    r"""The training of DAFormer (Hoyer et al., CVPR 2022), whose network is a MiT with a :class:`DAFormerHead`.

    It is :class:`DACS` with a slower teacher, which is updated before the iteration, and a further loss on the source,

    .. math:: L_{FD} = \lambda_{FD} \frac{\sum_i m_i \lVert f(x_s)_i - f_{ImageNet}(x_s)_i \rVert_2}{\sum_i m_i}

    where the mask :math:`m_i` is 1 for cells i of the last stage of the backbone that show a thing class, and 0 for
    others, see :func:`feature_distance`. Rare-class sampling is the source order ``RareClassOrder``. The warm-up is the
    schedule ``WarmupPolyLR``.

    Args:
        segmentor: As in :class:`DACS`. The features of ImageNet are those of its backbone with the weights that
            ``init_cfg`` names.
        teacher: Arguments of :class:`EMATeacher` that differ from DAFormer's (``decay=0.999``, no dropout).
        augmentation: Arguments of :class:`StrongAugmentation` that differ from DAFormer's (``strength=0.2``).
        distance_classes: Train ids of the thing classes; None compares all cells, whatever their labels.
        distance_ratio: A cell shows a class if this share of its pixels has its label.
        **kwargs: As :class:`DACS`, with DAFormer's defaults :data:`DACS_SETTINGS`; a further loss weight is
            ``distance`` (:math:`\lambda_{FD}`). With ``distance=0`` there is no second backbone.

    Raises:
        ValueError: As :class:`DACS`, or if ``distance_classes`` has a class that the segmentor does not predict.
    """

    LOSS_WEIGHTS = dict(**DACS.LOSS_WEIGHTS, distance=0.005)

    things: Tensor

    def __init__(
        self,
        segmentor: dict,
        teacher: dict | None = None,
        augmentation: dict | None = None,
        distance_classes: Sequence[int] | None = THINGS,
        distance_ratio: float = 0.75,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            segmentor,
            teacher={'decay': 0.999, 'dropout': False, **(teacher or {})},
            augmentation={'strength': 0.2, **(augmentation or {})},
            **{**DACS_SETTINGS, **kwargs},
        )
        self.distance_ratio = distance_ratio
        if self.loss_weights['distance']:
            if not segmentor['backbone'].get('init_cfg'):
                print_log(
                    'DAFormer: the backbone has no init_cfg, so the feature distance compares with a backbone of '
                    'random weights: give the backbone an init_cfg, or set loss_weights=dict(distance=0)',
                    logger='current',
                    level=logging.WARNING,
                )
            self.imagenet = ReferenceFeatures(segmentor)
            self.freeze('imagenet')
            self.register_buffer('things', class_table(distance_classes, self.num_classes), persistent=False)

    def source_losses(self, source: dict) -> Losses:
        """Return the losses of a pass over the labelled source images, including the feature distance."""
        outputs = self.segment(source)
        losses = self.supervised_losses(outputs, source)
        if self.loss_weights['distance']:
            losses |= self.weigh('distance', self.distance(outputs, source))
        return losses

    def distance(self, outputs: SegOutputs, source: dict) -> Tensor:
        """Return the mean distance between the features of source images and those of the ImageNet backbone."""
        features, reference = outputs.features[-1], self.imagenet(source['inputs'])
        cells = majority_labels(labels_of(source), features.shape[-2:], self.num_classes, self.distance_ratio)
        return feature_distance(features, reference, self.things[cells])

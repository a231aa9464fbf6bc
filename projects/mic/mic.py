"""MIC: a loss for any method, with which masked images must be labelled like whole ones."""

from collections.abc import Iterator
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from mmuda.models import DACS, AdaptSegNet, BaseAdaptor, EMATeacher, MinEnt, PseudoLabels, pixel_statistics
from mmuda.models.adaptors import Losses, Parts, pixel_losses
from mmuda.models.adaptors.dacs import one_of
from mmuda.models.losses import MEAN_OVER, pixel_cross_entropy
from mmuda.models.teachers import label_batch

from .masking import Masking

MASKED = dict(masked_main=1.0, masked_aux=0.1)
"""Loss weights of the masked images for each level, that is, for each head that predicts."""


class MaskedConsistency(BaseAdaptor):
    r"""Masked image consistency (Hoyer et al., "MIC", CVPR 2023), a base class to put before the class of a method.

    .. math:: L = L_{method} + \lambda^M \frac{1}{N H W} \sum_n q_n h(f(x^M), p)_n

    h is the cross-entropy, :math:`x^M` are masked images, see :class:`Masking`, p are the labels of a teacher that gets
    the whole images, and q are their weights. The loss is a mean over all pixels, ignored ones included, unless
    ``masked_mean='labelled'``. Three lines add it to a method without a teacher::

        @MODELS.register_module()
        class MICMethod(MaskedConsistency, Method):
            LOSS_WEIGHTS = dict(**Method.LOSS_WEIGHTS, **MASKED)

    A descendant of :class:`DACS` derives from :class:`MaskedSelfTraining` instead.

    Args:
        *args: As the method.
        masked: Arguments of :class:`Masking`.
        masked_teacher: Arguments of :class:`EMATeacher` for the separate teacher of this loss. With ``decay=0`` it is
            the segmentor at the beginning of the iteration.
        masked_threshold: Threshold of the separate teacher, see :func:`pseudo_labels`. With 0 all pixels have one
            weight.
        masked_mean: Pixels by whose number the loss on masked images is divided: ``'all'`` as published, or
            ``'labelled'``, which leaves out those with label 255. Pixels of weight 0 count in both.
        **kwargs: As the method. Further loss weights are ``masked_main`` (:math:`\lambda^M`) and those of other levels,
            such as ``masked_aux``.

    Raises:
        ValueError: As the method, :class:`Masking` and :class:`EMATeacher`, and if ``masked_mean`` is unknown.
    """

    def __init__(
        self,
        *args: Any,
        masked: dict | None = None,
        masked_teacher: dict | None = None,
        masked_threshold: float = 0.968,
        masked_mean: str = 'all',
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.masked_mean = one_of(MEAN_OVER, masked_mean=masked_mean)
        self.masking = Masking(**(masked or {}))
        self.masked_threshold = masked_threshold
        self.masked_teacher: EMATeacher | None = self.build_masked_teacher(masked_teacher)

    def build_masked_teacher(self, settings: dict | None) -> EMATeacher | None:
        """Return the separate teacher that labels the images to mask."""
        return EMATeacher(self.segmentor, **(settings or {}))

    def adapt(self, source: dict, target: dict) -> Parts:
        self.update_masked_teacher()
        yield from super().adapt(source, target)
        yield 'segmentor', self.masked_losses(source, target, self.label_for_masking(target))

    def update_masked_teacher(self) -> None:
        """Update the moving average of the separate teacher, if the last iteration changed the segmentor."""
        if self.masked_teacher is not None:
            self.masked_teacher.start(self.segmentor)
            if self.stepped:
                self.masked_teacher.update(self.segmentor)

    def label_for_masking(self, target: dict) -> PseudoLabels:
        """Return labels of whole target images by the separate teacher; untrusted pixels get weight 0."""
        assert self.masked_teacher is not None
        return label_batch(self.masked_teacher, target, self.masked_threshold)

    def masked_losses(self, source: dict, target: dict, pseudo: PseudoLabels) -> Losses:
        """Return the losses of a pass over masked images, ``loss_masked_<level>``."""
        images = self.masking(source, target, pseudo, *pixel_statistics(self.data_preprocessor))
        return pixel_losses(self, 'masked', images, self.masked_mean)


class MaskedSelfTraining(MaskedConsistency, DACS):
    """Masked image consistency for descendants of :class:`DACS`, whose teacher labels the images.

    Args:
        *args: As :class:`MaskedConsistency`.
        masked_teacher: As :class:`MaskedConsistency`. With None the teacher of the method labels, with its weights.
        masked_threshold: Threshold of the separate teacher, if there is one. None means the method's ``threshold``.
        masked_mean: As :class:`MaskedConsistency`. None means the method's ``mixed_mean``.
        **kwargs: As :class:`MaskedConsistency`.

    Raises:
        ValueError: If ``masked_threshold`` is given without ``masked_teacher``.
    """

    def __init__(
        self,
        *args: Any,
        masked_teacher: dict | None = None,
        masked_threshold: float | None = None,
        masked_mean: str | None = None,
        **kwargs: Any,
    ) -> None:
        if masked_teacher is None and masked_threshold is not None:
            raise ValueError(
                f'masked_threshold={masked_threshold!r} without masked_teacher: the teacher of the method labels '
                'masked images, with its own threshold: give masked_teacher, too, or leave masked_threshold out'
            )
        given = {} if masked_mean is None else dict(masked_mean=masked_mean)
        super().__init__(*args, masked_teacher=masked_teacher, **given, **kwargs)
        self.masked_mean = masked_mean or self.mixed_mean
        self.masked_threshold = self.threshold if masked_threshold is None else masked_threshold

    def build_masked_teacher(self, settings: dict | None) -> EMATeacher | None:
        """Return a separate teacher if there are settings for it; otherwise None: the method's teacher labels."""
        return None if settings is None else super().build_masked_teacher(settings)

    def adapt(self, source: dict, target: dict) -> Parts:
        self.update_masked_teacher()
        yield from super(MaskedConsistency, self).adapt(source, target)

    def train_target(self, source: dict, target: dict, pseudo: PseudoLabels) -> Iterator[tuple[str, Losses]]:
        """Yield the losses of the method, then those of masked images."""
        yield from super().train_target(source, target, pseudo)
        own = pseudo if self.masked_teacher is None else self.label_for_masking(target)
        yield 'segmentor', self.masked_losses(source, target, own)


@MODELS.register_module()
class MICDACS(MaskedSelfTraining):
    """:class:`DACS` with masked image consistency."""

    LOSS_WEIGHTS = dict(**DACS.LOSS_WEIGHTS, **MASKED)


class SourceMean(BaseAdaptor):
    """Let a method without a teacher choose what the loss on the source is a mean over, as :class:`DACS` can.

    It replaces the loss of the method, which must be cross-entropy.

    Args:
        *args: As the method.
        source_mean: Pixels by whose number the loss on the source is divided: ``'labelled'`` as in the method, or
            ``'all'`` as where MIC trains it.
        **kwargs: As the method.

    Raises:
        ValueError: As the method, and if ``source_mean`` is unknown.
    """

    def __init__(self, *args: Any, source_mean: str = 'labelled', **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.source_mean = one_of(MEAN_OVER, source_mean=source_mean)

    def plain_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy, divided by the number of pixels that ``source_mean`` selects."""
        return pixel_cross_entropy(logits, labels, mean_over=self.source_mean)


@MODELS.register_module()
class MICAdaptSegNet(MaskedConsistency, SourceMean, AdaptSegNet):
    """:class:`AdaptSegNet` with masked image consistency. Arguments: all of its bases."""

    LOSS_WEIGHTS = dict(**AdaptSegNet.LOSS_WEIGHTS, **MASKED)


@MODELS.register_module()
class MICMinEnt(MaskedConsistency, SourceMean, MinEnt):
    """:class:`MinEnt` with masked image consistency. Arguments: all of its bases."""

    LOSS_WEIGHTS = dict(**MinEnt.LOSS_WEIGHTS, **MASKED)

"""MIC: masked images must be labelled like whole ones, beside the losses of any method."""

from collections.abc import Iterator
from typing import Any

from mmseg.registry import MODELS

from mmuda.models import DACS, AdaptSegNet, BaseAdaptor, EMATeacher, MinEnt, PseudoLabels, pixel_statistics
from mmuda.models.adaptors import Losses, Parts, pixel_losses
from mmuda.models.teachers import label_batch

from .masking import Masking

MASKED = dict(masked_main=1.0, masked_aux=0.1)
"""Loss weights of the masked images by level."""


class MaskedConsistency(BaseAdaptor):
    r"""Masked image consistency (Hoyer et al., "MIC", CVPR 2023), a base to put before that of another method.

    .. math:: L = L_{method} + \lambda^M \frac{1}{N H W} \sum_n q_n h(f(x^M), p)_n

    with masked images, see :class:`Masking`, the labels p of a teacher that sees the whole images, and their weights q.
    The loss is a mean over all pixels, ignored ones included. A method gets it with three lines::

        @MODELS.register_module()
        class MICMethod(MaskedConsistency, Method):
            LOSS_WEIGHTS = dict(**Method.LOSS_WEIGHTS, **MASKED)

    if it has no teacher; a descendant of :class:`DACS` derives from :class:`MaskedSelfTraining` instead.

    Args:
        *args: As the method.
        masked: Arguments of :class:`Masking`.
        masked_teacher: Arguments of :class:`EMATeacher` for a teacher of its own (``decay=0`` is the segmentor as it is
            when the iteration begins).
        masked_threshold: Of the own teacher, see :func:`pseudo_labels`; 0 weighs all pixels alike.
        **kwargs: As the method; further loss weights are ``masked_main`` (:math:`\lambda^M`), and those of further
            levels.

    Raises:
        ValueError: As the method, :class:`Masking` and :class:`EMATeacher`.
    """

    def __init__(
        self,
        *args: Any,
        masked: dict | None = None,
        masked_teacher: dict | None = None,
        masked_threshold: float = 0.968,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.masking = Masking(**(masked or {}))
        self.masked_threshold = masked_threshold
        self.masked_teacher: EMATeacher | None = self.build_masked_teacher(masked_teacher)

    def build_masked_teacher(self, settings: dict | None) -> EMATeacher | None:
        """Return the teacher that labels images for masking, if the method has none."""
        return EMATeacher(self.segmentor, **(settings or {}))

    def adapt(self, source: dict, target: dict) -> Parts:
        self.update_masked_teacher()
        yield from super().adapt(source, target)
        yield 'segmentor', self.masked_losses(source, target, self.label_for_masking(target))

    def update_masked_teacher(self) -> None:
        """Take the segmentor into the average of the own teacher, if the last step changed it."""
        if self.masked_teacher is not None:
            self.masked_teacher.start(self.segmentor)
            if self.stepped:
                self.masked_teacher.update(self.segmentor)

    def label_for_masking(self, target: dict) -> PseudoLabels:
        """Return the own teacher's labels of whole target images; untrusted pixels of the data set get weight 0."""
        assert self.masked_teacher is not None
        return label_batch(self.masked_teacher, target, self.masked_threshold)

    def masked_losses(self, source: dict, target: dict, pseudo: PseudoLabels) -> Losses:
        """Return the losses of a pass over masked images, ``loss_masked_<level>``."""
        images = self.masking(source, target, pseudo, *pixel_statistics(self.data_preprocessor))
        return pixel_losses(self, 'masked', images)


class MaskedSelfTraining(MaskedConsistency, DACS):
    """A :class:`MaskedConsistency` for descendants of :class:`DACS`, whose teacher labels the images.

    Args:
        *args: As :class:`MaskedConsistency`.
        masked_teacher: None for the teacher of the method and its weights.
        masked_threshold: Of the own teacher, if there is one; None is the method's ``threshold``.
        **kwargs: As :class:`MaskedConsistency`.

    Raises:
        ValueError: If there is a threshold for a teacher that there is not.
    """

    def __init__(
        self, *args: Any, masked_teacher: dict | None = None, masked_threshold: float | None = None, **kwargs: Any
    ) -> None:
        if masked_teacher is None and masked_threshold is not None:
            raise ValueError(
                f'masked_threshold={masked_threshold!r}, but the teacher of the method labels masked images, with its '
                'own threshold: give masked_teacher, too, for a second one'
            )
        super().__init__(*args, masked_teacher=masked_teacher, **kwargs)
        self.masked_threshold = self.threshold if masked_threshold is None else masked_threshold

    def build_masked_teacher(self, settings: dict | None) -> EMATeacher | None:
        """Return None without settings of its own: the method has a teacher."""
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


@MODELS.register_module()
class MICAdaptSegNet(MaskedConsistency, AdaptSegNet):
    """:class:`AdaptSegNet` with masked image consistency."""

    LOSS_WEIGHTS = dict(**AdaptSegNet.LOSS_WEIGHTS, **MASKED)


@MODELS.register_module()
class MICMinEnt(MaskedConsistency, MinEnt):
    """:class:`MinEnt` with masked image consistency."""

    LOSS_WEIGHTS = dict(**MinEnt.LOSS_WEIGHTS, **MASKED)

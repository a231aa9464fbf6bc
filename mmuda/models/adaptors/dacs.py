"""DACS: self-training on images that are mixed from both domains."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..data_preprocessor import pixel_statistics
from ..labels import labels_of
from ..losses import MEAN_OVER, pixel_cross_entropy
from ..teachers import (
    CLASSES_OF,
    WEIGHTS,
    AugmentationDraws,
    EMATeacher,
    PseudoLabels,
    RandomStream,
    StrongAugmentation,
    class_mask,
    draw_class_keys,
    label_batch,
    to_device,
)
from .base import STEP, BaseAdaptor, Losses, Parts
from .weighted_images import WeightedImages, pixel_losses

TEACHER_UPDATES = ('after_step', 'before_forward')


@MODELS.register_module()
class DACS(BaseAdaptor):
    r"""Domain adaptation via cross-domain mixed sampling (Tranheden et al., WACV 2021, algorithm 1).

    The pixels of half of the classes of source image j are pasted into target image j, with their labels. The other
    pixels have the pseudo labels of a teacher, the moving average of the segmentor. Mixed images are strongly augmented
    (colour jitter and blur). The loss is

    .. math:: L = H(f(x_s), y_s) + \lambda \frac{1}{N H W} \sum_n w_n \, h(f(x_m), y_m)_n

    where :math:`H` is the mean cross-entropy and :math:`h` that of a pixel. The weight :math:`w_n` is 1 for source
    pixels, and the share of confident pixels in the batch for target pixels. The defaults are those of the released
    code. Where that code has unintended side effects, an option avoids them, see the arguments.

    **For methods that build on it.** Each part of an iteration is a method that can be overridden:

    - :meth:`source_losses` returns the losses of the source pass: override it to add a loss on the same pass.
    - :meth:`label_target` and :meth:`mix` return pseudo labels and mixed images.
    - :meth:`train_target` yields the losses on target images: override it and yield more after
      ``yield from super().train_target(...)``. :meth:`pixel_losses` forwards images with labels and weights.
    - :meth:`adapt` can be called with other images: ``yield from super().adapt(stylised(source, target), target)``.
    - :meth:`draw_classes` and :meth:`draw_augmentation` draw all random numbers. Draw further numbers from
      ``self.random.generator``, or from a :class:`RandomStream` with another name.
    - A segmentor with more levels lists them in its :class:`SegOutputs`, with their regions if they predict a part of
      the image only. Their loss weights are ``seg_<level>`` and ``mix_<level>``. The teacher can use another forward
      mode than the student, see :class:`EMATeacher`.
    - Further networks that are not trained are frozen children, see :meth:`freeze`.

    Args:
        segmentor: As in :class:`BaseAdaptor`.
        teacher: Arguments of :class:`EMATeacher` that differ from those of DACS (``decay=0.99, dropout=True``).
        teacher_update: When the teacher is updated: ``'after_step'``, or ``'before_forward'`` of the next iteration, as
            in DAFormer.
        threshold: Smallest probability of a confident pixel.
        pseudo_weight: Weight of pseudo labels, see :func:`mmuda.models.teachers.pseudo_labels`.
        classes_of: Set of classes of which half are pasted: those of the image or of the batch, see
            :func:`class_mask`.
        paste_ignored: Count 255 as a class, as the released code does: unlabelled pixels can then be pasted. False
            pastes labelled pixels only.
        augmentation: Arguments of :class:`StrongAugmentation` that differ from those of DACS.
        source_mean: Pixels by whose number the loss on the source is divided: ``'labelled'``, or ``'all'`` as in
            DAFormer.
        mixed_mean: The same for mixed images. The released code divides by ``'all'`` pixels, ignored ones included.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main`` and ``mix_main`` (:math:`\lambda`), and those of
            ``aux`` if there are auxiliary heads.

    Raises:
        ValueError: If an option is unknown, or if the preprocessor has different statistics for the two domains. In
            :meth:`train_step`, if the two domains differ in the number or size of their images, or if a label map and
            its image differ in size.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, mix_main=1.0, mix_aux=0.1)

    def __init__(
        self,
        segmentor: dict,
        teacher: dict | None = None,
        teacher_update: str = 'after_step',
        threshold: float = 0.968,
        pseudo_weight: str = 'share',
        classes_of: str = 'image',
        paste_ignored: bool = True,
        augmentation: dict | None = None,
        source_mean: str = 'labelled',
        mixed_mean: str = 'all',
        **kwargs: Any,
    ) -> None:
        super().__init__(segmentor, **kwargs)
        self.teacher_update = one_of(TEACHER_UPDATES, teacher_update=teacher_update)
        self.threshold, self.pseudo_weight = threshold, one_of(WEIGHTS, pseudo_weight=pseudo_weight)
        self.classes_of, self.paste_ignored = one_of(CLASSES_OF, classes_of=classes_of), paste_ignored
        self.source_mean = one_of(MEAN_OVER, source_mean=source_mean)
        self.mixed_mean = one_of(MEAN_OVER, mixed_mean=mixed_mean)
        self.teacher = EMATeacher(self.segmentor, **{'decay': 0.99, 'dropout': True, **(teacher or {})})
        self.augmentation = StrongAugmentation(**(augmentation or {}))
        self.random = RandomStream('mix')
        self.pixel_statistics()  # raises an error if the domains differ: mixed images need one mean and one std

    def adapt(self, source: dict, target: dict) -> Parts:
        check_mixable(source, target)
        self.random.advance()
        self.teacher.start(self.segmentor)
        self.update_teacher('before_forward')

        yield 'segmentor', self.source_losses(source)
        yield from self.train_target(source, target, self.label_target(target))

        yield STEP
        self.update_teacher('after_step')

    # The parts of an iteration.

    def update_teacher(self, moment: str) -> None:
        """Update the teacher, if ``moment`` is that of ``teacher_update`` and the last step changed the segmentor."""
        if moment == self.teacher_update and self.stepped:
            self.teacher.update(self.segmentor)

    def source_losses(self, source: dict) -> Losses:
        """Return the losses of a pass over the labelled source images."""
        return self.supervised_losses(self.segment(source), source)

    def label_target(self, target: dict) -> PseudoLabels:
        """Return the teacher's labels of the target images.

        Pixels that the data set does not trust, such as the bonnet of the car, get weight 0.
        """
        found = label_batch(self.teacher, target, self.threshold, self.pseudo_weight)
        self.log(confident=found.share)
        self.show('target pseudo label', found.labels)
        return found

    def train_target(self, source: dict, target: dict, pseudo: PseudoLabels) -> Iterator[tuple[str, Losses]]:
        """Yield the losses on target images, here on mixed images."""
        yield 'segmentor', self.pixel_losses('mix', self.mix(source, target, pseudo))

    @torch.no_grad()
    def mix(self, source: dict, target: dict, pseudo: PseudoLabels) -> WeightedImages:
        """Return target images into which half of the classes of source images are pasted, strongly augmented."""
        labels = labels_of(source)
        keys = to_device(self.draw_classes(len(labels)), labels.device)
        paste = class_mask(labels, keys, self.classes_of, self.paste_ignored)
        images = torch.where(paste[:, None], source['inputs'], target['inputs'])
        return WeightedImages(
            self.augmentation(images, self.draw_augmentation(len(images)), *self.pixel_statistics()),
            torch.where(paste, labels, pseudo.labels),
            torch.where(paste, 1.0, pseudo.weight),
        )

    def pixel_losses(self, term: str, images: WeightedImages) -> Losses:
        """Return ``loss_<term>_<level>``: the pixel-weighted cross-entropy of each level in a pass over images."""
        return pixel_losses(self, term, images, self.mixed_mean)

    def plain_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy, divided by the number of pixels that ``source_mean`` selects."""
        return pixel_cross_entropy(logits, labels, mean_over=self.source_mean)

    def draw_classes(self, count: int) -> Tensor:
        """Return the random keys (count, 256) of :func:`class_mask`, on the CPU."""
        return draw_class_keys(self.random.generator, count)

    def draw_augmentation(self, count: int) -> AugmentationDraws:
        """Return the random numbers for the augmentation of ``count`` images."""
        return self.augmentation.draw(self.random.generator, count)

    def pixel_statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, each (3, 1, 1), with which the preprocessor normalises grey values."""
        return pixel_statistics(self.data_preprocessor)


def check_mixable(source: dict, target: dict) -> None:
    """Check that image j of the source can be mixed into image j of the target.

    Args:
        source: ``inputs`` (N, 3, H, W) and labelled ``data_samples``.
        target: ``inputs`` (N, 3, H, W).

    Raises:
        ValueError: If the two domains differ in the number or size of their images, or a label map and its image differ
            in size.
    """
    sizes = [tuple(batch['inputs'].shape[-2:]) for batch in (source, target)]
    counts = [len(batch['inputs']) for batch in (source, target)]
    if sizes[0] != sizes[1] or counts[0] != counts[1]:
        raise ValueError(
            f'images of both domains are mixed one to one, but the source has {counts[0]} of {sizes[0]} (H, W) and the '
            f'target {counts[1]} of {sizes[1]}: crop both to one size (RandomCrop in both pipelines)'
        )
    for sample in source['data_samples']:
        size = tuple(sample.gt_sem_seg.data.shape[-2:])
        if size != sizes[0]:
            raise ValueError(
                f'{sample.metainfo.get("img_path")}: the label map is {size}, but the image {sizes[0]} (H, W): pixels '
                'are pasted with their labels, so the pipeline must resize and crop both in the same way'
            )


def one_of(known: Sequence[str], **option: str) -> str:
    """Return the value of an option, given as ``name=value``.

    Raises:
        ValueError: If the value is not among the known ones.
    """
    ((name, value),) = option.items()
    if value not in known:
        raise ValueError(f'{name}={value!r}, expected one of {tuple(known)}')
    return value

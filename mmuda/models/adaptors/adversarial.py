"""Adversarial adaptation: the common iteration of all methods with one discriminator for each level."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from ..losses import GAN_LOSSES, SOURCE, TARGET
from ..segmentors import SegOutputs
from ..segmentors.head_outputs import class_levels
from .base import BaseAdaptor, Losses
from .freezing import frozen


class DomainAdversary(BaseAdaptor):
    """Base of methods that train the segmentor against one discriminator for each level.

    A level is a head of the segmentor: ``main`` is the decode head, ``aux`` the auxiliary head. One iteration has three
    parts, in the order of the originals:

    1. the segmentation losses on the source;
    2. the adversarial losses on the target, through frozen discriminators, with the label of the source;
    3. the loss of each discriminator on the *detached* outputs for both domains.

    All optimizers step at the end. The segmentor therefore learns from the discriminators of the previous iteration,
    and the discriminators learn from the outputs of the segmentor before its step.

    A method implements :meth:`discriminator_input`, the input map of a discriminator.

    Args:
        segmentor: As in :class:`BaseAdaptor`.
        discriminator: Config of the discriminator of the level ``main``.
        aux_discriminator: Config of the discriminator of the level ``aux``. Required if the segmentor has an auxiliary
            head; must be None otherwise.
        gan: ``'vanilla'`` (binary cross-entropy) or ``'least_squares'``.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main``, ``seg_aux``, ``adv_main``, ``adv_aux``.

    Raises:
        ValueError: If ``gan`` is unknown, if only one of auxiliary head and ``aux_discriminator`` is given, or if there
            are several auxiliary heads.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002)

    def __init__(
        self,
        segmentor: dict,
        discriminator: dict,
        aux_discriminator: dict | None = None,
        gan: str = 'vanilla',
        **kwargs: Any,
    ) -> None:
        super().__init__(segmentor, **kwargs)
        if gan not in GAN_LOSSES:
            raise ValueError(f'{type(self).__name__}: gan={gan!r}, expected one of {sorted(GAN_LOSSES)}')
        auxiliary = [level for level in class_levels(self.segmentor) if level != 'main']
        if bool(auxiliary) != (aux_discriminator is not None):
            raise ValueError(
                f'{type(self).__name__}: every level needs its discriminator: give both '
                'segmentor.auxiliary_head and aux_discriminator (two levels), or neither of them (one level)'
            )
        if auxiliary and auxiliary != ['aux']:
            raise ValueError(f'{type(self).__name__}: segmentor.auxiliary_head is a list, expected one auxiliary head')
        self.gan_loss = GAN_LOSSES[gan]
        self.discriminator = MODELS.build(discriminator)
        self.aux_discriminator = None if aux_discriminator is None else MODELS.build(aux_discriminator)

    @abstractmethod
    def discriminator_input(self, outputs: SegOutputs, level: str) -> Tensor:
        """Return the input (N, K, h, w) of the discriminator of a level."""

    def forward_target(self, target: dict) -> SegOutputs:
        """Return the outputs for the target images that :meth:`discriminator_input` needs."""
        return self.segment(target)

    def detach_outputs(self, outputs: SegOutputs) -> SegOutputs:
        """Return the detached outputs of a pass that :meth:`discriminator_input` needs."""
        return outputs.detach()

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        on_source = self.segment(source)
        yield 'segmentor', self.supervised_losses(on_source, source)
        on_source = self.detach_outputs(on_source)

        on_target = self.forward_target(target)
        with frozen(self.discriminator, self.aux_discriminator):
            yield 'segmentor', self.adversarial_losses(on_target)
        on_target = self.detach_outputs(on_target)

        yield from self.train_discriminators(on_source, on_target)

    def train_discriminators(self, on_source: SegOutputs, on_target: SegOutputs) -> Iterator[tuple[str, Losses]]:
        """Yield the losses of each discriminator on the detached outputs, first for the source, then for the target."""
        for level, child in self.discriminators().items():
            yield child, self.discriminator_losses(level, on_source, SOURCE)
            yield child, self.discriminator_losses(level, on_target, TARGET)

    def discriminators(self) -> dict[str, str]:
        """Return the name of the discriminator of each level, which is a child of the adaptor; ``aux`` is first."""
        children = dict(aux='aux_discriminator', main='discriminator')
        return {level: child for level, child in children.items() if getattr(self, child) is not None}

    def adversarial_losses(self, outputs: SegOutputs) -> Losses:
        """Return ``loss_adv_<level>``: the GAN loss of target outputs with the label of the source, weighted."""
        return self.weigh(
            'adv',
            {
                level: self.gan_loss(getattr(self, child)(self.discriminator_input(outputs, level)), SOURCE)
                for level, child in self.discriminators().items()
            },
        )

    def discriminator_losses(self, level: str, outputs: SegOutputs, domain: float) -> Losses:
        """Return ``loss_dis_<level>_<domain>``: half the GAN loss of the discriminator of a level.

        Args:
            level: ``'main'`` or ``'aux'``.
            outputs: Detached outputs for the images of one domain.
            domain: The label of this domain, ``SOURCE`` or ``TARGET``.
        """
        discriminator = getattr(self, self.discriminators()[level])
        scores = discriminator(self.discriminator_input(outputs, level))
        name = 'source' if domain == SOURCE else 'target'
        self.show(f'{name} {level} discriminator', scores)
        return {f'loss_dis_{level}_{name}': self.gan_loss(scores, domain) / 2}


class OutputSpaceAdversary(DomainAdversary):
    """A :class:`DomainAdversary` whose discriminator inputs are computed from the upsampled predictions."""

    @abstractmethod
    def domain_map(self, logits: Tensor) -> Tensor:
        """Return the discriminator's input (N, K, H, W) for upsampled logits (N, C, H, W) float32."""

    def discriminator_input(self, outputs: SegOutputs, level: str) -> Tensor:
        """Return :meth:`domain_map` of the upsampled logits of a level."""
        return self.domain_map(outputs.upsample(level))

    def detach_outputs(self, outputs: SegOutputs) -> SegOutputs:
        """Return the detached logits without the features, which are large."""
        return outputs.detach(features=False)

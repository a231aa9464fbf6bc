"""Output-space adversarial adaptation: the iteration that AdaptSegNet and ADVENT share."""

from abc import abstractmethod
from collections.abc import Iterator

from mmseg.registry import MODELS
from torch import Tensor, nn

from ..losses import GAN_LOSSES, SOURCE, TARGET
from ..segmentors import SegOutputs
from .base import BaseAdaptor, Losses
from .freezing import frozen


class OutputSpaceAdversary(BaseAdaptor):
    """Align the predictions of both domains by one discriminator for each level.

    One iteration, in the order of the originals: segmentation losses on the source; adversarial losses on the target,
    whose predictions shall be taken for source, through frozen discriminators; then each discriminator on the
    *detached* predictions of both domains. The segmentor therefore learns from the discriminators of the iteration
    before, and they from the predictions of the segmentor before its step.

    Args:
        discriminator: Config of the discriminator of the ``main`` level.
        aux_discriminator: Config of the discriminator of the ``aux`` level; needed when the segmentor has an auxiliary
            head, and only then.
        gan: ``'vanilla'`` (binary cross-entropy) or ``'least_squares'``.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main``, ``seg_aux``, ``adv_main``, ``adv_aux``.

    Raises:
        ValueError: If ``gan`` is unknown, or levels and discriminators do not match.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002)

    def __init__(
        self,
        segmentor: dict,
        discriminator: dict,
        aux_discriminator: dict | None = None,
        gan: str = 'vanilla',
        **kwargs,
    ) -> None:
        super().__init__(segmentor, **kwargs)
        if gan not in GAN_LOSSES:
            raise ValueError(f'{type(self).__name__}: gan={gan!r}, expected one of {sorted(GAN_LOSSES)}')
        if self.segmentor.with_auxiliary_head != (aux_discriminator is not None):
            raise ValueError(
                f'{type(self).__name__}: every level needs its discriminator: give both '
                'segmentor.auxiliary_head and aux_discriminator (two levels), or neither (one level)'
            )
        if isinstance(getattr(self.segmentor, 'auxiliary_head', None), nn.ModuleList):
            raise ValueError(f'{type(self).__name__} has one auxiliary level, but segmentor.auxiliary_head is a list')
        self.gan_loss = GAN_LOSSES[gan]
        self.discriminator = MODELS.build(discriminator)
        self.aux_discriminator = None if aux_discriminator is None else MODELS.build(aux_discriminator)

    @abstractmethod
    def domain_map(self, logits: Tensor) -> Tensor:
        """What the discriminator sees of upsampled logits (N, C, H, W)."""

    # Discriminators of something else than predictions replace these three together.

    def observe(self, target: dict) -> SegOutputs:
        """Forward the target images."""
        return self.segment(target)

    def judged(self, outputs: SegOutputs, level: str) -> Tensor:
        """What the discriminator of a level sees: a map made of its upsampled logits."""
        return self.domain_map(outputs.upsample(level))

    def keep(self, outputs: SegOutputs) -> SegOutputs:
        """What of a pass the discriminators learn from later, without its graph: logits, which are small."""
        return outputs.detach(features=False)

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        on_source = self.segment(source)
        yield 'segmentor', self.supervised_losses(on_source, source)
        on_source = self.keep(on_source)

        on_target = self.observe(target)
        with frozen(self.discriminator, self.aux_discriminator):
            yield 'segmentor', self.adversarial_losses(on_target)
        on_target = self.keep(on_target)

        for name, level in self.discriminators().items():
            yield name, self.discriminator_losses(name, level, on_source, SOURCE)
            yield name, self.discriminator_losses(name, level, on_target, TARGET)

    def discriminators(self) -> dict:
        """Child name to level, auxiliary first."""
        levels = {'aux_discriminator': 'aux', 'discriminator': 'main'}
        return {name: level for name, level in levels.items() if getattr(self, name) is not None}

    def adversarial_losses(self, outputs: SegOutputs) -> Losses:
        """How far the target predictions are from being taken for source ones, by level."""
        return self.weigh(
            {
                f'loss_adv_{level}': self.gan_loss(getattr(self, name)(self.judged(outputs, level)), SOURCE)
                for name, level in self.discriminators().items()
            }
        )

    def discriminator_losses(self, name: str, level: str, outputs: SegOutputs, domain: float) -> Losses:
        """Half the loss of one discriminator, on one domain."""
        scores = getattr(self, name)(self.judged(outputs, level))
        side = 'source' if domain == SOURCE else 'target'
        return {f'loss_dis_{level}_{side}': self.gan_loss(scores, domain) / 2}

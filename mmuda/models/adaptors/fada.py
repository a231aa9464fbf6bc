"""FADA: adversarial adaptation with a class-wise discriminator."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from ..losses import SOURCE, TARGET, soft_cross_entropy, soft_labels
from ..segmentors import SegOutputs
from ..segmentors.head_outputs import own_loss_levels
from .base import BaseAdaptor, Losses
from .freezing import frozen


@MODELS.register_module()
class FADA(BaseAdaptor):
    r"""Fine-grained adversarial adaptation (Wang, Shen, Zhang, Duan and Mei, ECCV 2020).

    A discriminator classifies each pixel of the feature map by class and domain, with 2C outputs. Its labels are the
    soft predictions of the segmentor, :math:`s = \min(\mathrm{softmax}(P / T), 0.9)`, in the half of their domain:

    .. math:: L_D = \tfrac12 \mathrm{SCE}(D(f_s), [s_s, 0]) + \tfrac12 \mathrm{SCE}(D(f_t), [0, s_t]), \quad
       L_{adv} = \lambda \, \mathrm{SCE}(D(f_t), [s_t, 0])

    SCE is :func:`soft_cross_entropy`. One iteration has three parts, in the order of the released code:

    1. the cross-entropy on the source, *with logits divided by T too*;
    2. the adversarial loss on the target through a frozen discriminator; its gradient reaches only the backbone;
    3. the loss of the discriminator, on the detached features and soft labels of both domains.

    The discriminator's scores are upsampled to the size of the image. All pixels count there, including unlabelled
    pixels of the source.

    Args:
        segmentor: As in :class:`BaseAdaptor`; the method uses the feature map that is the input of the decode head.
        discriminator: Config of a :class:`PixelDiscriminatorHead`.
        temperature: T, by which all logits are divided in training.
        clip: Upper bound of soft labels.
        **kwargs: As :class:`BaseAdaptor`; loss weights ``seg_main``, ``adv``, and ``seg_aux`` if there are auxiliary
            heads.

    Raises:
        ValueError: If the channels or classes of the discriminator differ from those of the decode head, if the
            temperature or the clip is out of range, or if the decode head takes several feature maps or has its own
            kind of loss.
    """

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, adv=0.001)

    def __init__(
        self, segmentor: dict, discriminator: dict, temperature: float = 1.8, clip: float = 0.9, **kwargs: Any
    ) -> None:
        super().__init__(segmentor, **kwargs)
        if temperature <= 0 or not 0 < clip <= 1:
            raise ValueError(
                f'FADA: temperature={temperature} and clip={clip}, expected a positive number and a number in (0, 1]'
            )
        if 'main' in own_loss_levels(self.segmentor):
            raise ValueError(
                'FADA divides the logits of the supervised loss by its temperature, but '
                f"{type(self.decode_head).__name__} has its own kind of loss: choose a head with mmseg's usual loss"
            )
        self.temperature, self.clip = temperature, clip
        self.discriminator = MODELS.build(discriminator)
        head = self.decode_head
        for name, wanted in (('in_channels', self.feature_channels), ('num_classes', head.num_classes)):
            value = getattr(self.discriminator, name, wanted)  # a custom discriminator may lack the attribute
            if value != wanted:
                raise ValueError(
                    f'FADA: discriminator.{name} is {value}, but the decode head has {wanted}: set the same number'
                )

    def adapt(self, source: dict, target: dict) -> Iterator[tuple[str, Losses]]:
        on_source = self.segment(source)
        yield 'segmentor', self.supervised_losses(on_source, source)
        on_source = self.apply_temperature(on_source.detach())

        with self.without_heads():
            on_target = self.apply_temperature(self.segment(target))
        with frozen(self.discriminator):
            yield 'segmentor', self.weigh('adv', self.domain_loss(on_target, SOURCE))
        on_target = on_target.detach()

        yield 'discriminator', dict(loss_dis_source=self.domain_loss(on_source, SOURCE) / 2)
        yield 'discriminator', dict(loss_dis_target=self.domain_loss(on_target, TARGET) / 2)

    def supervised_losses(self, outputs: SegOutputs, batch: dict) -> Losses:
        """Return the losses of every level on the labels of a batch, with logits divided by the temperature."""
        return super().supervised_losses(self.apply_temperature(outputs), batch)

    def apply_temperature(self, outputs: SegOutputs) -> SegOutputs:
        """Return outputs with logits divided by the temperature; upsampling is linear, so it can follow."""
        return replace(outputs, logits={level: logits / self.temperature for level, logits in outputs.logits.items()})

    def domain_loss(self, outputs: SegOutputs, domain: float) -> Tensor:
        """Return the cross-entropy of the discriminator's scores with the soft labels, in the half of one domain.

        Args:
            outputs: Outputs of the segmentor, after :meth:`apply_temperature`.
            domain: ``SOURCE`` or ``TARGET``: the half of the scores that the soft labels belong to.
        """
        scores = self.discriminator(self.head_features(outputs))
        scores = replace(outputs, logits=dict(main=scores)).upsample('main')
        # In an iteration, the last call with each domain is on images of that domain; it replaces earlier pictures.
        name = 'source' if domain == SOURCE else 'target'
        self.show(f'{name} discriminator', lambda: scores.softmax(dim=1).chunk(2, dim=1)[1].sum(dim=1))
        return soft_cross_entropy(scores, soft_labels(outputs.upsample('main'), self.clip), domain)

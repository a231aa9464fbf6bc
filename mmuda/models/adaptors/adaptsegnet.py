"""AdaptSegNet: adversarial learning in the output space."""

from mmseg.registry import MODELS
from torch import Tensor

from ..segmentors import SegOutputs
from .adversarial import OutputSpaceAdversary


@MODELS.register_module()
class AdaptSegNet(OutputSpaceAdversary):
    r"""Structured output space adaptation (Tsai, Hung et al., CVPR 2018, eqs. 1-5, multi-level eq. 6).

    The discriminators see class probabilities, :math:`D(\mathrm{softmax}(P))`, of the upsampled logits. Two levels by
    default; the paper's "single-level" is ``loss_weights=dict(seg_aux=0, adv_aux=0)``, where the auxiliary level still
    runs, and "LS-GAN" is ``gan='least_squares'``.

    ``space='feature'`` is the paper's baseline, adaptation of features: a discriminator sees the feature map (N, K, h,
    w) that the head of its level reads, as it is: not upsampled, no softmax. The target is then forwarded without
    heads, which learn from the source alone. The released code does not have it and the paper says little about it:
    this is reconstructed from its text, with the losses, weights and discriminators of the output space. The baseline
    has one level, the decode head's.

    Args:
        *args: As :class:`OutputSpaceAdversary`.
        space: ``'output'`` or ``'feature'``. Discriminators then need ``in_channels`` of the head (2048 for ``main``
            and 1024 for ``aux`` of a ResNet-101), and images of at least about 256 pixels per side.
        **kwargs: As :class:`OutputSpaceAdversary`.

    Raises:
        ValueError: If ``space`` is unknown, or a head reads several feature maps in the feature space.
    """

    def __init__(self, *args, space: str = 'output', **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if space not in ('output', 'feature'):
            raise ValueError(
                f"{type(self).__name__}: space={space!r}, expected 'output' (class probabilities) or "
                "'feature' (the feature map of each head)"
            )
        self.space = space
        self.stages = self._stages() if space == 'feature' else {}

    def domain_map(self, logits: Tensor) -> Tensor:
        """Class probabilities (N, C, H, W)."""
        return logits.softmax(dim=1)

    def observe(self, target: dict) -> SegOutputs:
        """Forward the target images, without heads if only features are judged."""
        if self.space == 'feature':
            return self.segmentor(target['inputs'], mode='features')
        return super().observe(target)

    def judged(self, outputs: SegOutputs, level: str) -> Tensor:
        """Class probabilities (N, C, H, W), or the features (N, K, h, w) that the head of the level reads."""
        if self.space == 'feature':
            return outputs.features[self.stages[level]]
        return super().judged(outputs, level)

    def keep(self, outputs: SegOutputs) -> SegOutputs:
        """Detached logits, or with them the features if those are judged."""
        return outputs.detach() if self.space == 'feature' else super().keep(outputs)

    def _stages(self) -> dict[str, int]:
        """Index of the feature map that each level's head reads."""
        stages = {level: head.in_index for level, head in self.segmentor.heads().items()}
        for level, stage in stages.items():
            if not isinstance(stage, int):
                raise ValueError(
                    f"{type(self).__name__}: space='feature' judges the one feature map that a head reads, but "
                    f"in_index of the {level} head is {stage}: choose a head of one stage, or space='output'"
                )
        return stages

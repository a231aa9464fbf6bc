"""Adversarial adaptation of features, the baseline of the AdaptSegNet paper."""

from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from ..segmentors import SegOutputs
from .adversarial import DomainAdversary


@MODELS.register_module()
class FeatureAdversary(DomainAdversary):
    """Feature-space adaptation (Tsai, Hung et al., CVPR 2018, the baseline "Ours (feature)").

    The input of the discriminator of a level is the feature map (N, K, h, w) that is the input of the head of that
    level, without upsampling and without softmax. The target is forwarded without heads, so the heads learn from the
    source alone. The released code does not have this method, and the paper describes it briefly. It is reconstructed
    from the text, with the losses, weights and discriminators of the output space. The paper's baseline has one level,
    ``main``.

    Args:
        *args: As :class:`DomainAdversary`. Discriminators need the ``in_channels`` of the head (2048 for ``main`` and
            1024 for ``aux`` of a ResNet-101), and images of at least about 256 pixels per side.
        **kwargs: As :class:`DomainAdversary`.

    Raises:
        ValueError: If a head takes several feature maps.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stages = self._head_stages()

    def discriminator_input(self, outputs: SegOutputs, level: str) -> Tensor:
        """Return the feature map (N, K, h, w) that is the input of the head of a level."""
        return outputs.features[self.stages[level]]

    def forward_target(self, target: dict) -> SegOutputs:
        """Return the features of the target images; no head runs."""
        return self.segmentor(target['inputs'], mode='features')

    def _head_stages(self) -> dict[str, int]:
        """Return, for each level, the index of the feature map that is the input of its head."""
        stages = {level: head.in_index for level, head in self.segmentor.heads().items()}
        for level, stage in stages.items():
            if not isinstance(stage, int):
                raise ValueError(
                    f'{type(self).__name__}: a discriminator needs a head that takes one feature map, but in_index '
                    f'of the {level} head is {stage}: choose a head of one stage, or AdaptSegNet'
                )
        return stages

"""AdaptSegNet: adversarial learning in the output space."""

from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from .adversarial import OutputSpaceAdversary


@MODELS.register_module()
class AdaptSegNet(OutputSpaceAdversary):
    r"""Structured output space adaptation (Tsai, Hung et al., CVPR 2018, eqs. 1-5, multi-level eq. 6).

    The discriminators see class probabilities, :math:`D(\mathrm{softmax}(P))`, of the upsampled logits. Two levels by
    default; the paper's "single-level" is ``loss_weights=dict(seg_aux=0, adv_aux=0)``, where the auxiliary level still
    runs, and "LS-GAN" is ``gan='least_squares'``. The paper's feature-space baseline is :class:`FeatureAdversary`.

    Args:
        *args: As :class:`DomainAdversary`.
        space: Must be ``'output'``; earlier configs of the feature-space baseline have ``'feature'``.
        **kwargs: As :class:`DomainAdversary`.

    Raises:
        ValueError: If ``space`` is another one.
    """

    def __init__(self, *args: Any, space: str = 'output', **kwargs: Any) -> None:
        if space != 'output':
            raise ValueError(
                f"AdaptSegNet: space={space!r}, expected 'output': features are adapted by type='FeatureAdversary'"
            )
        super().__init__(*args, **kwargs)

    def domain_map(self, logits: Tensor) -> Tensor:
        """Return class probabilities (N, C, H, W) of logits (N, C, H, W)."""
        return logits.softmax(dim=1)

"""AdaptSegNet: adversarial learning in the output space."""

from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from .adversarial import OutputSpaceAdversary


@MODELS.register_module()
class AdaptSegNet(OutputSpaceAdversary):
    r"""Structured output space adaptation (Tsai, Hung et al., CVPR 2018, eqs. 1-5, multi-level eq. 6).

    The input of a discriminator is the class probabilities of the upsampled logits, :math:`D(\mathrm{softmax}(P))`.
    There is one discriminator for each level, the decode head (``main``) and the auxiliary head (``aux``). The paper's
    "single-level" is ``loss_weights=dict(seg_aux=0, adv_aux=0)``; the auxiliary head still runs. Its "LS-GAN" is
    ``gan='least_squares'``, and its feature-space baseline is :class:`FeatureAdversary`.

    Args:
        *args: As :class:`DomainAdversary`.
        space: Must be ``'output'``. Earlier configs of the feature-space baseline have ``'feature'``.
        **kwargs: As :class:`DomainAdversary`.

    Raises:
        ValueError: If ``space`` is not ``'output'``.
    """

    def __init__(self, *args: Any, space: str = 'output', **kwargs: Any) -> None:
        if space != 'output':
            raise ValueError(
                f"AdaptSegNet: space={space!r}, expected 'output': to adapt features, set type='FeatureAdversary'"
            )
        super().__init__(*args, **kwargs)

    def domain_map(self, logits: Tensor) -> Tensor:
        """Return class probabilities (N, C, H, W) of logits (N, C, H, W)."""
        return logits.softmax(dim=1)

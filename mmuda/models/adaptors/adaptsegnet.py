"""AdaptSegNet: adversarial learning in the output space."""

import warnings
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from .adversarial import DomainAdversary, OutputSpaceAdversary
from .feature_adversary import FeatureAdversary


class AdaptSegNet(OutputSpaceAdversary):
    r"""Structured output space adaptation (Tsai, Hung et al., CVPR 2018, eqs. 1-5, multi-level eq. 6).

    The discriminators see class probabilities, :math:`D(\mathrm{softmax}(P))`, of the upsampled logits. Two levels by
    default; the paper's "single-level" is ``loss_weights=dict(seg_aux=0, adv_aux=0)``, where the auxiliary level still
    runs, and "LS-GAN" is ``gan='least_squares'``. The paper's feature-space baseline is :class:`FeatureAdversary`.
    """

    def domain_map(self, logits: Tensor) -> Tensor:
        """Return class probabilities (N, C, H, W) of logits (N, C, H, W)."""
        return logits.softmax(dim=1)


@MODELS.register_module(name='AdaptSegNet')
def build_adaptsegnet(*args: Any, space: str = 'output', **kwargs: Any) -> DomainAdversary:
    """Build the model of a config with ``type='AdaptSegNet'``.

    Args:
        *args: As :class:`AdaptSegNet`.
        space: ``'output'``; ``'feature'`` is the earlier spelling of :class:`FeatureAdversary`.
        **kwargs: As :class:`AdaptSegNet`.

    Raises:
        ValueError: If ``space`` is unknown.
    """
    if space == 'feature':
        warnings.warn(
            "type='AdaptSegNet', space='feature' is now called type='FeatureAdversary': write that into the config",
            FutureWarning,
            stacklevel=2,
        )
        return FeatureAdversary(*args, **kwargs)
    if space != 'output':
        raise ValueError(
            f"AdaptSegNet: space={space!r}, expected 'output' (features are adapted by type='FeatureAdversary')"
        )
    return AdaptSegNet(*args, **kwargs)

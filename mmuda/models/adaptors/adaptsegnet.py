"""AdaptSegNet: adversarial learning in the output space."""

import warnings
from typing import Any

from mmseg.registry import MODELS
from torch import Tensor

from .adversarial import OutputSpaceAdversary
from .feature_adversary import FeatureAdversary


@MODELS.register_module()
class AdaptSegNet(OutputSpaceAdversary):
    r"""Structured output space adaptation (Tsai, Hung et al., CVPR 2018, eqs. 1-5, multi-level eq. 6).

    The discriminators see class probabilities, :math:`D(\mathrm{softmax}(P))`, of the upsampled logits. Two levels by
    default; the paper's "single-level" is ``loss_weights=dict(seg_aux=0, adv_aux=0)``, where the auxiliary level still
    runs, and "LS-GAN" is ``gan='least_squares'``. The paper's feature-space baseline is :class:`FeatureAdversary`.

    Args:
        *args: As :class:`OutputSpaceAdversary`.
        space: ``'output'``. Earlier configs write ``'feature'`` and get a :class:`FeatureAdversary` with a warning.
        **kwargs: As :class:`OutputSpaceAdversary`.

    Raises:
        ValueError: If ``space`` is unknown.
    """

    def __new__(cls, *args: Any, space: str = 'output', **kwargs: Any) -> Any:
        """Build a :class:`FeatureAdversary` for the earlier spelling of it.

        The registered name must be this class, whose parameters and loss weights tools look up.
        """
        if space != 'feature':
            return super().__new__(cls)
        warnings.warn(
            "type='AdaptSegNet', space='feature' is now called type='FeatureAdversary': write that into the config",
            FutureWarning,
            stacklevel=2,
        )
        return FeatureAdversary(*args, **kwargs)

    def __init__(self, *args: Any, space: str = 'output', **kwargs: Any) -> None:
        if space != 'output':
            raise ValueError(
                f"AdaptSegNet: space={space!r}, expected 'output' (features are adapted by type='FeatureAdversary')"
            )
        super().__init__(*args, **kwargs)

    def domain_map(self, logits: Tensor) -> Tensor:
        """Return class probabilities (N, C, H, W) of logits (N, C, H, W)."""
        return logits.softmax(dim=1)

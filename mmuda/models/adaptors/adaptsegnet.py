"""AdaptSegNet: adversarial learning in the output space."""
from mmseg.registry import MODELS
from torch import Tensor

from .adversarial import OutputSpaceAdversary


@MODELS.register_module()
class AdaptSegNet(OutputSpaceAdversary):
    r"""Structured output space adaptation (Tsai, Hung et al., CVPR 2018, eqs. 1-5, multi-level eq. 6).

    The discriminators see class probabilities, :math:`D(\mathrm{softmax}(P))`, of the upsampled logits. Two levels by
    default; the paper's "single-level" is ``loss_weights=dict(seg_aux=0, adv_aux=0)``, where the auxiliary level still
    runs, and "LS-GAN" is ``gan='least_squares'``.
    """

    def domain_map(self, logits: Tensor) -> Tensor:
        """Class probabilities (N, C, H, W)."""
        return logits.softmax(dim=1)

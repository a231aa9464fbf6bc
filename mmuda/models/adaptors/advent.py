"""AdvEnt: adversarial entropy minimisation."""

from mmseg.registry import MODELS
from torch import Tensor

from ..losses import self_information
from .adversarial import OutputSpaceAdversary


@MODELS.register_module()
class ADVENT(OutputSpaceAdversary):
    r"""AdvEnt (Vu et al., CVPR 2019, section 3.2, eqs. 6-8).

    The input of a discriminator is the weighted self-information of the upsampled prediction, with one channel for each
    class: :math:`I_c = -p_c \log_2 p_c / \log_2 C`. Values are small (at most 0.125 for 19 classes).
    """

    def domain_map(self, logits: Tensor) -> Tensor:
        """Return the weighted self-information (N, C, H, W) of logits (N, C, H, W)."""
        return self_information(logits)

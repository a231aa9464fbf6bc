"""ADVENT's weighted self-information and its mean, the entropy loss."""

import math

import torch
from torch import Tensor

from mmuda.constants import LOG_EPSILON


def self_information(logits: Tensor) -> Tensor:
    r"""Return weighted self-information maps (Vu et al., CVPR 2019, section 3.2), the input of ADVENT's discriminator.

    .. math:: I_c = -p_c \log_2(p_c + 10^{-30}) / \log_2 C, \quad p = \mathrm{softmax}(\text{logits})

    Computed in float32: the epsilon underflows in half precision.

    Args:
        logits: (N, C, H, W).

    Returns:
        (N, C, H, W) float32, each value in [0, 0.531 / log2 C].
    """
    probs = logits.float().softmax(dim=1)
    return -probs * torch.log2(probs + LOG_EPSILON) / math.log2(logits.shape[1])


def entropy_loss(logits: Tensor) -> Tensor:
    """Return the mean normalised entropy over all pixels, in [0, 1] (Vu et al., CVPR 2019, eq. 3).

    Args:
        logits: (N, C, H, W).
    """
    n, _, height, width = logits.shape
    return self_information(logits).sum() / (n * height * width)

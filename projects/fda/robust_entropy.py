"""Entropy penalty of FDA, which weighs uncertain pixels more."""

import math

from torch import Tensor

RELEASED_NORM = 2.9444
"""Divisor of the released code for any number of classes: ln 19, rounded."""


def robust_entropy(logits: Tensor, eta: float = 2.0, norm: float | None = None) -> Tensor:
    r"""Return the mean of a power of the pixel entropy (Yang and Soatto, "FDA", CVPR 2020, eq. 5).

    .. math:: L = \frac1N \sum_i (e_i^2 + 10^{-8})^\eta, \quad e_i = -\frac1Z \sum_c p_{ic} \log p_{ic}

    Args:
        logits: (N, C, H, W).
        eta: The power. Values above 0.5 weigh uncertain pixels more.
        norm: Z. None means :math:`\ln C`, so that e is in [0, 1].
    """
    log_probs = logits.float().log_softmax(dim=1)
    entropy = -(log_probs.exp() * log_probs).sum(dim=1) / (math.log(logits.shape[1]) if norm is None else norm)
    return (entropy.square() + 1e-8).pow(eta).mean()

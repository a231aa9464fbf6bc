"""FADA's soft labels and the cross-entropy of class-wise domain scores."""

import torch
from torch import Tensor

from .adversarial import SOURCE


@torch.no_grad()
def soft_labels(logits: Tensor, clip: float = 0.9) -> Tensor:
    """Return class probabilities (N, C, H, W) float32, clipped from above and not normalised again.

    Args:
        logits: (N, C, H, W), divided by the temperature.
        clip: Upper bound of the probabilities (FADA's "confidence threshold" has no other use).
    """
    return logits.float().softmax(dim=1).clamp_(max=clip)


def soft_cross_entropy(scores: Tensor, soft: Tensor, domain: float) -> Tensor:
    r"""Return the cross-entropy of class-wise domain scores with soft labels of one domain.

    Wang et al., ECCV 2020, eqs. 4 and 6:

    .. math:: L = -\frac{1}{N H W} \sum_{n,h,w} \sum_{k=1}^{C} s_k \log \mathrm{softmax}(q)_{d C + k}

    where :math:`d` is 0 for the source and 1 for the target, and the softmax is over all 2C channels. The mean is over
    all pixels; a pixel weighs as much as the sum of its soft labels. Labels for the classes of the other domain are
    zero, so these terms are left out.

    Args:
        scores: (N, 2C, H, W): the classes of the source, then those of the target.
        soft: Soft labels (N, C, H, W), constants.
        domain: ``SOURCE`` or ``TARGET``.
    """
    log_prob = scores.float().log_softmax(dim=1)
    num_classes = soft.shape[1]
    half = log_prob[:, :num_classes] if domain == SOURCE else log_prob[:, num_classes:]
    return -(soft * half).sum(dim=1).mean()

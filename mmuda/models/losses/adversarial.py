"""Losses on the scores of a discriminator."""

import torch.nn.functional as F
from torch import Tensor

SOURCE = 0.0
"""Label of the source domain, as in the code of AdaptSegNet, ADVENT and their successors (the papers' text has 1)."""

TARGET = 1.0
"""Label of the target domain."""


def vanilla_gan_loss(scores: Tensor, domain: float) -> Tensor:
    """Return the mean binary cross-entropy with logits against one domain label (Goodfellow et al. 2014; ADVENT eq. 8).

    Args:
        scores: Domain logits of any shape.
        domain: ``SOURCE`` or ``TARGET``.
    """
    # BCE with a constant label y is softplus(s) - y * s, so no tensor of labels is needed.
    return (F.softplus(scores.float()) - domain * scores.float()).mean()


def least_squares_gan_loss(scores: Tensor, domain: float) -> Tensor:
    """Return the mean squared distance of scores to one domain label (Mao et al. 2017; AdaptSegNet's ``--gan LS``).

    Args:
        scores: Domain scores of any shape.
        domain: ``SOURCE`` or ``TARGET``.
    """
    return (scores.float() - domain).square().mean()


GAN_LOSSES = {'vanilla': vanilla_gan_loss, 'least_squares': least_squares_gan_loss}

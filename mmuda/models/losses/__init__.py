"""Losses: supervised, adversarial, entropy, contrastive, Lovász-softmax and soft labels."""

from .adversarial import GAN_LOSSES, SOURCE, TARGET, least_squares_gan_loss, vanilla_gan_loss
from .contrastive import contrastive_bound
from .entropy import entropy_loss, self_information
from .lovasz import lovasz_softmax
from .soft_label import soft_cross_entropy, soft_labels
from .supervised import MEAN_OVER, cross_entropy, pixel_cross_entropy

__all__ = [
    'GAN_LOSSES',
    'MEAN_OVER',
    'SOURCE',
    'TARGET',
    'contrastive_bound',
    'cross_entropy',
    'entropy_loss',
    'least_squares_gan_loss',
    'lovasz_softmax',
    'pixel_cross_entropy',
    'self_information',
    'soft_cross_entropy',
    'soft_labels',
    'vanilla_gan_loss',
]

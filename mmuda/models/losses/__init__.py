from .adversarial import (GAN_LOSSES, SOURCE, TARGET, least_squares_gan_loss, vanilla_gan_loss)
from .entropy import entropy_loss, self_information
from .supervised import cross_entropy

__all__ = [
    'GAN_LOSSES', 'SOURCE', 'TARGET', 'cross_entropy', 'entropy_loss', 'least_squares_gan_loss', 'self_information',
    'vanilla_gan_loss'
]

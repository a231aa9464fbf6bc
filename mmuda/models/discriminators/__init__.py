"""Discriminators: networks that predict the domain from features or predictions."""

from .fc_discriminator_head import FCDiscriminatorHead
from .pixel_discriminator_head import PixelDiscriminatorHead

__all__ = ['FCDiscriminatorHead', 'PixelDiscriminatorHead']

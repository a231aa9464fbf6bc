from .fc_discriminator_head import FCDiscriminatorHead

__all__ = ['FCDiscriminatorHead']

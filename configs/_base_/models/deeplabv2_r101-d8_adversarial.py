# DeepLabV2 on ResNet-101 with a discriminator for each of its two levels.
_base_ = './deeplabv2_r101-d8.py'
discriminator = dict(type='FCDiscriminatorHead', in_channels=19)
model = dict(aux_discriminator=discriminator, discriminator=discriminator)

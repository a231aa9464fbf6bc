# DeepLabV2 on ResNet-101 with a discriminator for each of its two levels, for the 16 classes of SYNTHIA.
_base_ = './deeplabv2_r101-d8_16.py'
discriminator = dict(type='FCDiscriminatorHead', in_channels=16)
model = dict(aux_discriminator=discriminator, discriminator=discriminator)

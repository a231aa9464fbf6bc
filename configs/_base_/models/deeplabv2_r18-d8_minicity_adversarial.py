# The small network of MiniCity with a small discriminator.
_base_ = './deeplabv2_r18-d8_minicity.py'
model = dict(discriminator=dict(type='FCDiscriminatorHead', in_channels=19, base_channels=16))

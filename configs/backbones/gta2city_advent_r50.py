# AdvEnt with ResNet-50 v1c and the two heads of mmseg's FCN.
_base_ = [
    '../_base_/models/fcn_r50v1c-d8.py',
    '../_base_/datasets/gta2city_dacs.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
discriminator = dict(type='FCDiscriminatorHead', in_channels=19)
model = dict(type='ADVENT', discriminator=discriminator, aux_discriminator=discriminator)
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD'), repeats=None))

# AdaptSegNet with one level on MobileNetV2.
_base_ = [
    '../_base_/models/fcn_mobilenetv2-d8.py',
    '../_base_/datasets/gta2city_dacs.py',
    '../_base_/schedules/poly_250k_adversarial_single.py',
]
model = dict(type='AdaptSegNet', discriminator=dict(type='FCDiscriminatorHead', in_channels=19))
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD'), repeats=None))

# SIM on VGG-16, GTA5 translated by a CycleGAN to Cityscapes. The released code cannot train it: settings are those of
# ResNet-101, but with one learning rate for all layers, as for AdaptSegNet's VGG-16.
_base_ = [
    '../_base_/models/deeplabv2_vgg16-d8.py',
    '../_base_/datasets/gta2city_cyclegan.py',
    '../_base_/schedules/sim.py',
    '../_base_/stages/sim.py',
]
runner_type = 'StagedRunner'
optim_wrapper = dict(
    segmentor=dict(_delete_=True, optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4))
)
model = dict(
    type='SIM',
    segmentor=dict(decode_head=dict(summed=(0, 1))),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
)

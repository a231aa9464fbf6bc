_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity.py',
    '../_base_/datasets/minicity.py',
    '../_base_/schedules/minicity_adversarial.py',
]
model = dict(
    type='AdaptSegNet',
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19, base_channels=16),
    loss_weights=dict(adv_main=0.1),
)

_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity.py',
    '../_base_/datasets/carla2camvid.py',
    '../_base_/schedules/minicity_adversarial.py',
]
model = dict(
    type='ADVENT',
    segmentor=dict(decode_head=dict(num_classes=10)),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=10, base_channels=16),
    loss_weights=dict(adv_main=0.05),
)

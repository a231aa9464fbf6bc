_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity_adversarial.py',
    '../_base_/datasets/carla2camvid.py',
    '../_base_/schedules/minicity_adversarial.py',
]
model = dict(
    type='ADVENT',
    segmentor=dict(decode_head=dict(num_classes=10)),
    discriminator=dict(in_channels=10),
    loss_weights=dict(adv_main=0.05),
)

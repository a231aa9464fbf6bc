# AdaptSegNet, multi-level, LoveDA rural to urban.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_adversarial.py',
    '../_base_/datasets/loveda.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='AdaptSegNet',
    segmentor=dict(auxiliary_head=dict(num_classes=7), decode_head=dict(num_classes=7)),
    aux_discriminator=dict(in_channels=7),
    discriminator=dict(in_channels=7),
)
train_cfg = dict(max_iters=150000)

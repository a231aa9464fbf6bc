# AdaptSegNet, multi-level, SYNTHIA to Cityscapes. The released code has no SYNTHIA loader; the paper reports 13
# classes.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_adversarial.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='AdaptSegNet',
    segmentor=dict(auxiliary_head=dict(num_classes=16), decode_head=dict(num_classes=16)),
    aux_discriminator=dict(in_channels=16),
    discriminator=dict(in_channels=16),
)
train_cfg = dict(max_iters=150000)

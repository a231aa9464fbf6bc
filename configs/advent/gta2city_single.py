# AdvEnt with one level (MULTI_LEVEL False of the released code): no auxiliary head, no discriminator for it. No figure
# is known.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial_single.py',
]
model = dict(
    type='ADVENT', segmentor=dict(auxiliary_head=None), discriminator=dict(type='FCDiscriminatorHead', in_channels=19)
)

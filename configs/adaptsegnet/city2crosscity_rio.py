# AdaptSegNet, multi-level, Cityscapes to Rio of Cross-City. The released code has no loader for it; the figure is one
# that a user of FADA quotes (issue 14 there).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch.py',
    '../_base_/datasets/city2crosscity.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(
    type='AdaptSegNet',
    aux_discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(seg_main=1.0, seg_aux=0.1, adv_main=0.001, adv_aux=0.0002),
)
train_cfg = dict(max_iters=150000)
test_evaluator = dict(paper=dict(name='AdaptSegNet (quoted in FADA, issue 14)', mIoU13=51.6))

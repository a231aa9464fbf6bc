# AdaptSegNet, multi-level, Cityscapes to Rio of Cross-City. The released code has no loader for it. A user of FADA
# quotes the figure (issue 14 of FADA's tracker).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_adversarial.py',
    '../_base_/datasets/city2crosscity.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(type='AdaptSegNet')
train_cfg = dict(max_iters=150000)

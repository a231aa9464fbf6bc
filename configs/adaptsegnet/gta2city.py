# AdaptSegNet, multi-level, GTA5 to Cityscapes (Tsai, Hung et al., CVPR 2018).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_adversarial.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(type='AdaptSegNet')
train_cfg = dict(max_iters=150000)

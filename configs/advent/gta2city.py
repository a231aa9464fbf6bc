# AdvEnt, two levels, GTA5 to Cityscapes (Vu et al., CVPR 2019).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_adversarial.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(type='ADVENT')

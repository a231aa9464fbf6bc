# MinEnt, SYNTHIA to Cityscapes, with the schedule for SYNTHIA (see synthia2city.py).
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_16.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_250k.py',
]
model = dict(type='MinEnt')
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=90001, by_epoch=False)]
train_cfg = dict(max_iters=90000)

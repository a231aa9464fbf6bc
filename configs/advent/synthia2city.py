# AdvEnt, SYNTHIA to Cityscapes. The recipe comes from the authors' answer in their tracker (issue 12): the same
# hyper-parameters with a schedule of 90,000 iterations.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_adversarial_16.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_250k_adversarial.py',
]
model = dict(type='ADVENT')
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=90001, by_epoch=False)]
train_cfg = dict(max_iters=90000)

# DACS, UrbanSyn to Cityscapes.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_dacs.py',
    '../_base_/datasets/urbansyn2city_dacs.py',
    '../_base_/schedules/poly_250k_dacs.py',
]
model = dict(type='DACS')

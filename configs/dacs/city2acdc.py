# DACS, Cityscapes to ACDC.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_dacs.py',
    '../_base_/datasets/city2acdc_dacs.py',
    '../_base_/schedules/poly_250k_dacs.py',
]
model = dict(type='DACS')

_base_ = [
    '../_base_/models/deeplabv2_r101-d8_isprs.py',
    '../_base_/datasets/potsdam2vaihingen.py',
    '../_base_/schedules/poly_250k.py',
]
model = dict(type='SourceOnly')

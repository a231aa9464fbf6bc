_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/urbansyn2city.py',
    '../_base_/schedules/poly_250k.py',
]
model = dict(type='SourceOnly')

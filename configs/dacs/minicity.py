_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity.py',
    '../_base_/datasets/minicity.py',
    '../_base_/schedules/minicity.py',
]
model = dict(type='DACS')

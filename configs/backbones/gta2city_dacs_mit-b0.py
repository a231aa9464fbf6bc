# DACS with SegFormer-B0, trained by DAFormer's schedule.
_base_ = [
    '../_base_/models/segformer_mit-b0.py',
    '../_base_/datasets/gta2city_dacs.py',
    '../_base_/schedules/adamw_40k.py',
]
model = dict(type='DACS')

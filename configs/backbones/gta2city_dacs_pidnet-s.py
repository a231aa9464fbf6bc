# DACS with PIDNet-S.
_base_ = ['../_base_/models/pidnet-s.py', '../_base_/datasets/gta2city_dacs.py', '../_base_/schedules/poly_250k.py']
model = dict(type='DACS')
source_pipeline = [*_base_.source_pipeline[:-1], dict(type='GenerateEdge', edge_width=4), _base_.source_pipeline[-1]]
train_dataloader = dict(dataset=dict(source=dict(pipeline=source_pipeline)))
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD', lr=1e-2), repeats=None, paramwise_cfg=None))

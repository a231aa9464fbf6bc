# MinEnt with STDC1: all heads that predict classes are adapted. Boundaries are learnt from the source.
_base_ = ['../_base_/models/stdc1.py', '../_base_/datasets/gta2city_dacs.py', '../_base_/schedules/poly_250k.py']
model = dict(type='MinEnt', loss_weights=dict(seg_aux=1.0))  # the weight of mmseg
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD', lr=1e-2), repeats=None, paramwise_cfg=None))

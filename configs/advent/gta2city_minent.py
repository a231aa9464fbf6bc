# MinEnt, GTA5 to Cityscapes: direct entropy minimisation, without a discriminator.
_base_ = ['../_base_/models/deeplabv2_r101-d8.py', '../_base_/datasets/gta2city.py', '../_base_/schedules/poly_250k.py']
model = dict(type='MinEnt')

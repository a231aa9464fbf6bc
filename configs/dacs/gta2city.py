# DACS, GTA5 to Cityscapes (Tranheden et al., WACV 2021), as the released code trains it.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_dacs.py',
    '../_base_/datasets/gta2city_dacs.py',
    '../_base_/schedules/poly_250k_dacs.py',
]
model = dict(type='DACS')

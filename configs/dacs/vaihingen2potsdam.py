# DACS, Vaihingen to Potsdam.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_dacs.py',
    '../_base_/datasets/vaihingen2potsdam.py',
    '../_base_/schedules/poly_250k_dacs.py',
]
model = dict(
    type='DACS',
    segmentor=dict(
        decode_head=dict(num_classes=6), test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(384, 384))
    ),
)

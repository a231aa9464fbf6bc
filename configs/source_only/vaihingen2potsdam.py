_base_ = [
    '../_base_/models/deeplabv2_r101-d8.py',
    '../_base_/datasets/vaihingen2potsdam.py',
    '../_base_/schedules/poly_250k.py',
]
model = dict(
    type='SourceOnly',
    segmentor=dict(
        auxiliary_head=dict(num_classes=6),
        decode_head=dict(num_classes=6),
        test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(384, 384)),
    ),
)

# The six classes of Potsdam and Vaihingen, whose tiles are tested window by window.
_base_ = 'deeplabv2_r101-d8.py'
model = dict(
    segmentor=dict(
        auxiliary_head=dict(num_classes=6),
        decode_head=dict(num_classes=6),
        test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(384, 384)),
    )
)

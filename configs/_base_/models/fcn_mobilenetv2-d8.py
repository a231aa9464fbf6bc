# mmseg's FCN on MobileNetV2 at stride 8. RGB and ImageNet statistics.
_base_ = './fcn_r50v1c-d8.py'
model = dict(
    segmentor=dict(
        backbone=dict(
            _delete_=True,
            type='MobileNetV2',
            widen_factor=1.0,
            strides=(1, 2, 2, 1, 1, 1, 1),
            dilations=(1, 1, 1, 2, 2, 4, 4),
            out_indices=(1, 2, 4, 6),
            norm_cfg=dict(type='BN', requires_grad=True),
            init_cfg=dict(type='Pretrained', checkpoint='mmcls://mobilenet_v2'),
        ),
        decode_head=dict(in_channels=320),
        auxiliary_head=None,
    )
)

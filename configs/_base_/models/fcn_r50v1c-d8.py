# mmseg's FCN on ResNet-50 v1c at stride 8, with its auxiliary head. RGB and ImageNet statistics.
_base_ = './imagenet_rgb.py'
head = dict(
    type='FCNHead',
    concat_input=True,
    dropout_ratio=0.1,
    num_classes=19,
    norm_cfg=dict(type='BN', requires_grad=True),
    align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
model = dict(
    segmentor=dict(
        backbone=dict(
            type='ResNetV1c',
            depth=50,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            norm_cfg=dict(type='BN', requires_grad=True),
            contract_dilation=True,
            init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c'),
        ),
        decode_head=dict(head, in_channels=2048, in_index=3, channels=512, num_convs=2),
        auxiliary_head=dict(head, in_channels=1024, in_index=2, channels=256, num_convs=1, concat_input=False),
    )
)

# DeepLabV2 as DAFormer, HRDA and MIC train it: mmseg's ResNet-101 with three 3x3 convolutions as stem, trained
# batch-norm throughout, and a head with dilations 6 and 12. RGB and ImageNet statistics.
_base_ = './imagenet_rgb.py'
model = dict(
    segmentor=dict(
        backbone=dict(
            type='ResNetV1c',
            depth=101,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            contract_dilation=True,
            style='pytorch',
            norm_cfg=dict(type='BN', requires_grad=True),
            init_cfg=dict(type='DeepLabPretrained', checkpoint='open-mmlab://resnet101_v1c'),
        ),
        decode_head=dict(
            type='DeepLabV2Head', in_channels=2048, in_index=3, num_classes=19, dilations=(6, 12), align_corners=False
        ),
        test_cfg=dict(via_input=True),
    )
)

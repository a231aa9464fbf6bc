# DeepLabV2 as DAFormer, HRDA and MIC train it: mmseg's ResNet-101 with three 3x3 convolutions as stem, all of
# batch-norm trained, a head of dilations 6 and 12. RGB and ImageNet statistics.
data_preprocessor = dict(
    type='DomainPairPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
)
model = dict(
    data_preprocessor=data_preprocessor,
    segmentor=dict(
        type='AdaptiveEncoderDecoder',
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
        test_cfg=dict(mode='whole', via_input=True),
    ),
)

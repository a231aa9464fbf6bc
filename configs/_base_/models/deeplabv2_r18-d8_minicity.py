# A ResNet-18 of half width, one level, from random weights. It trains in two minutes on two cores.
data_preprocessor = dict(
    type='DomainPairPreprocessor', mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False
)
model = dict(
    data_preprocessor=data_preprocessor,
    segmentor=dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(
            type='DeepLabResNet',
            depth=18,
            stem_channels=32,
            base_channels=32,
            style='pytorch',
            norm_cfg=dict(type='BN', requires_grad=True),
        ),
        decode_head=dict(type='DeepLabV2Head', in_channels=256, in_index=3, num_classes=19, dilations=(1, 2, 3, 4)),
        test_cfg=dict(mode='whole'),
    ),
)

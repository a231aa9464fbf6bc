# DeepLabV2 on ResNet-101 with two levels, as AdaptSegNet and ADVENT build it (all four branches of a head summed).
# Images are BGR minus the mean of the Caffe models, without division.
data_preprocessor = dict(
    type='DomainPairPreprocessor',
    mean=[104.00698793, 116.66876762, 122.67891434],
    std=[1.0, 1.0, 1.0],
    bgr_to_rgb=False,
)
# Weights of ImageNet only, from which ADVENT starts. AdaptSegNet starts from ImageNet and MS-COCO.
pretrained = 'https://github.com/valeoai/ADVENT/releases/download/v0.1.2/DeepLab_resnet_pretrained_imagenet.pth'
model = dict(
    data_preprocessor=data_preprocessor,
    segmentor=dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(type='DeepLabResNet', depth=101, init_cfg=dict(type='DeepLabPretrained', checkpoint=pretrained)),
        auxiliary_head=dict(type='DeepLabV2Head', in_channels=1024, in_index=2, num_classes=19),
        decode_head=dict(type='DeepLabV2Head', in_channels=2048, in_index=3, num_classes=19),
        test_cfg=dict(mode='whole'),
    ),
)

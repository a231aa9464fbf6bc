# DeepLabV2 on VGG-16 (fc6 and fc7 as dilated convolutions), one level, all four branches of the head summed.
# Images are BGR minus the mean of the Caffe models, without division.
data_preprocessor = dict(
    type='DomainPairPreprocessor',
    mean=[104.00698793, 116.66876762, 122.67891434],
    std=[1.0, 1.0, 1.0],
    bgr_to_rgb=False,
)
# Weights of ImageNet, converted from Caffe.
pretrained = 'https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth'
model = dict(
    data_preprocessor=data_preprocessor,
    segmentor=dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(type='DeepLabVGG16', init_cfg=dict(type='DeepLabPretrained', checkpoint=pretrained)),
        decode_head=dict(type='DeepLabV2Head', in_channels=1024, in_index=0, num_classes=19),
        test_cfg=dict(mode='whole'),
    ),
)

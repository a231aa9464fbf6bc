# ResNet-38 (model A1) at output stride 8, the network of CBST. RGB, ImageNet statistics; tested as in CBST: padded to
# multiples of 8, averaged with the mirrored image, probabilities enlarged by Pillow's filters.
import os

data_preprocessor = dict(
    type='DomainPairPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    test_cfg=dict(size_divisor=8),
)
# ImageNet weights of the authors, ilsvrc-cls_rna-a1_cls1000_ep-0001.params, converted by
# tools/model_converters/cbst.py.
pretrained = os.environ.get('RESNET38_IMAGENET', 'checkpoints/resnet38_imagenet.pth')
model = dict(
    data_preprocessor=data_preprocessor,
    segmentor=dict(
        type='BicubicEncoderDecoder',
        backbone=dict(
            type='ResNet38',
            with_cp=True,  # 7 GB for two crops of 504x504, as in the original
            init_cfg=dict(
                type='DeepLabPretrained',
                checkpoint=pretrained,
                hint='python tools/model_converters/cbst.py ilsvrc-cls_rna-a1_cls1000_ep-0001.params '
                'checkpoints/resnet38_imagenet.pth makes it (or say where it is: RESNET38_IMAGENET=FILE)',
            ),
        ),
        decode_head=dict(type='ResNet38Head', in_channels=4096, num_classes=19),
        test_cfg=dict(mode='whole'),
    ),
)

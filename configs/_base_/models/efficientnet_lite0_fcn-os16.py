# EfficientNet-Lite0 under a head that reads one feature map, the last stage, for methods that look at the features of
# the head (SIM, FADA, SDCA). The head works pixel by pixel and has no norm, so that it classifies a mean feature as it
# classifies pixels.
_base_ = './efficientnet_lite0_segformer-os16.py'
model = dict(
    segmentor=dict(
        backbone=dict(out_indices=(4,)),
        decode_head=dict(
            _delete_=True,
            type='FCNHead',
            in_channels=320,
            in_index=0,
            channels=128,
            num_convs=1,
            kernel_size=1,
            concat_input=False,
            num_classes=19,
            dropout_ratio=0.0,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    )
)

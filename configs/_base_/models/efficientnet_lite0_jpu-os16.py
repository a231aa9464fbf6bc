# EfficientNet-Lite0 for methods that use the one feature map that the head reads (SIM, FADA, SDCA). A neck joins the
# last three feature maps into one with 256 channels at stride 8. The head works pixel by pixel and has no norm, so it
# can also classify a mean feature.
_base_ = './efficientnet_lite0_segformer-os16.py'
model = dict(
    segmentor=dict(
        backbone=dict(out_indices=(2, 3, 4)),
        neck=dict(type='JPU', in_channels=(40, 112, 320), mid_channels=64, norm_cfg=dict(type='GN', num_groups=16)),
        decode_head=dict(
            _delete_=True,
            type='FCNHead',
            in_channels=256,
            in_index=2,
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

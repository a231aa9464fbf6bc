# mmseg's STDC1: three heads that predict classes, with hard pixels (OHEM), and one head that learns boundaries.
# Boundaries are learnt from labels; adaptation does not use them. Batches need two images or more, because one
# batch-norm of the backbone gets a single cell of each image.
_base_ = './imagenet_rgb.py'
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/stdc/stdc1_20220308-5368626c.pth'
norm_cfg = dict(type='BN', requires_grad=True)
head = dict(
    type='FCNHead',
    num_convs=1,
    num_classes=19,
    norm_cfg=norm_cfg,
    concat_input=False,
    sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=10000),
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
side = dict(head, in_channels=128, channels=64, align_corners=False)
boundaries = dict(
    type='STDCHead',
    in_channels=256,
    in_index=0,
    channels=64,
    num_convs=1,
    num_classes=2,
    boundary_threshold=0.1,
    norm_cfg=norm_cfg,
    concat_input=False,
    align_corners=True,
    loss_decode=[
        dict(type='CrossEntropyLoss', loss_name='loss_ce', use_sigmoid=True),
        dict(type='DiceLoss', loss_name='loss_dice'),
    ],
)
model = dict(
    segmentor=dict(
        backbone=dict(
            type='STDCContextPathNet',
            backbone_cfg=dict(
                type='STDCNet',
                stdc_type='STDCNet1',
                in_channels=3,
                channels=(32, 64, 256, 512, 1024),
                bottleneck_type='cat',
                num_convs=4,
                norm_cfg=norm_cfg,
                act_cfg=dict(type='ReLU'),
                with_final_conv=False,
                init_cfg=dict(type='Pretrained', checkpoint=pretrained),
            ),
            last_in_channels=(1024, 512),
            out_channels=128,
            ffm_cfg=dict(in_channels=384, out_channels=256, scale_factor=4),
        ),
        decode_head=dict(head, in_channels=256, in_index=3, channels=256, dropout_ratio=0.1, align_corners=True),
        auxiliary_head=[dict(side, in_index=2), dict(side, in_index=1), boundaries],
    )
)

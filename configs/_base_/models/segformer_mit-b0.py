# SegFormer on MiT-B0. RGB and ImageNet statistics.
_base_ = './daformer_mit-b5.py'
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth'
model = dict(
    segmentor=dict(
        backbone=dict(variant='b0', init_cfg=dict(checkpoint=pretrained)),
        decode_head=dict(
            _delete_=True,
            type='SegformerHead',
            in_channels=[32, 64, 160, 256],
            in_index=[0, 1, 2, 3],
            channels=256,
            dropout_ratio=0.1,
            num_classes=19,
            norm_cfg=dict(type='BN', requires_grad=True),
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    )
)

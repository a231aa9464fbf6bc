# mmseg's UPerNet on Swin-T, with its auxiliary head. RGB and ImageNet statistics. Batches need two images or more,
# because one batch-norm of the head gets a single cell of each image.
_base_ = './imagenet_rgb.py'
pretrained = (
    'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/swin/swin_tiny_patch4_window7_224_20220317-1cdeb081.pth'
)
head = dict(
    dropout_ratio=0.1,
    num_classes=19,
    norm_cfg=dict(type='BN', requires_grad=True),
    align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
model = dict(
    segmentor=dict(
        backbone=dict(
            type='SwinTransformer',
            embed_dims=96,
            depths=(2, 2, 6, 2),
            num_heads=(3, 6, 12, 24),
            window_size=7,
            drop_path_rate=0.3,
            init_cfg=dict(type='Pretrained', checkpoint=pretrained),
        ),
        decode_head=dict(
            head,
            type='UPerHead',
            in_channels=[96, 192, 384, 768],
            in_index=[0, 1, 2, 3],
            pool_scales=(1, 2, 3, 6),
            channels=512,
        ),
        auxiliary_head=dict(
            head, type='FCNHead', in_channels=384, in_index=2, channels=256, num_convs=1, concat_input=False
        ),
    )
)

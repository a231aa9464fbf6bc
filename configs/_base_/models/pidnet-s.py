# mmseg's PIDNet-S with its four losses, one of which is a loss of boundaries. So pipelines of labelled images need the
# step GenerateEdge. Adaptation uses the classes that the network predicts (its integral branch). Batches need two
# images or more, because one batch-norm of the backbone gets a single cell of each image.
_base_ = './imagenet_rgb.py'
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/pidnet/pidnet-s_imagenet1k_20230306-715e6273.pth'
norm_cfg, act_cfg = dict(type='BN', requires_grad=True), dict(type='ReLU', inplace=True)
hard = dict(type='OhemCrossEntropy', thres=0.9, min_kept=131072, loss_weight=1.0)
model = dict(
    segmentor=dict(
        backbone=dict(
            type='PIDNet',
            in_channels=3,
            channels=32,
            ppm_channels=96,
            num_stem_blocks=2,
            num_branch_blocks=3,
            align_corners=False,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            init_cfg=dict(type='Pretrained', checkpoint=pretrained),
        ),
        decode_head=dict(
            type='PIDHead',
            in_channels=128,
            channels=128,
            num_classes=19,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            align_corners=True,
            loss_decode=[
                dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4),
                hard,
                dict(type='BoundaryLoss', loss_weight=20.0),
                hard,
            ],
        ),
    )
)

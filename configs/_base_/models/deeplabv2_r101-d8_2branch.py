# DeepLabV2 as the released AdaptSegNet trains it: heads return after the second of four branches, and the backbone
# starts from ImageNet and MS-COCO.
_base_ = './deeplabv2_r101-d8.py'
pretrained = 'http://vllab.ucmerced.edu/ytsai/CVPR18/DeepLab_resnet_pretrained_init-f81d91e8.pth'
model = dict(
    segmentor=dict(
        backbone=dict(init_cfg=dict(checkpoint=pretrained)),
        auxiliary_head=dict(summed=(0, 1)),
        decode_head=dict(summed=(0, 1)),
    )
)

# DAFormer: MiT-B5 with ImageNet's weights under a head that joins all four stages. RGB and ImageNet statistics. To use
# a file of NVIDIA, set init_cfg.checkpoint to its path. For another size set backbone.variant, and the checkpoint of
# that size.
_base_ = './imagenet_rgb.py'
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/mit_b5_20220624-658746d9.pth'
model = dict(
    segmentor=dict(
        backbone=dict(type='MiT', variant='b5', init_cfg=dict(type='StrictPretrained', checkpoint=pretrained)),
        decode_head=dict(type='DAFormerHead', in_channels=[64, 128, 320, 512], in_index=[0, 1, 2, 3], num_classes=19),
        test_cfg=dict(via_input=True),
    )
)

# DeepLabV2 on torchvision's ResNet-101, as FADA and SDCA build it: RGB and ImageNet statistics, strides in the 3x3
# convolutions, and in the first block of a dilated stage the dilation of the stage before. Batch-norm is a frozen
# affine map without epsilon.
_base_ = './imagenet_rgb.py'
pretrained = 'https://download.pytorch.org/models/resnet101-5d3b4d8f.pth'
model = dict(
    segmentor=dict(
        backbone=dict(
            type='ResNet',
            depth=101,
            strides=(1, 2, 1, 1),
            dilations=(1, 1, 2, 4),
            contract_dilation=True,
            style='pytorch',
            out_indices=(3,),
            norm_cfg=dict(type='BN', eps=0.0, requires_grad=False),
            norm_eval=True,
            init_cfg=dict(type='DeepLabPretrained', checkpoint=pretrained),
        ),
        decode_head=dict(type='DeepLabV2Head', in_channels=2048, in_index=0, num_classes=19),
    )
)

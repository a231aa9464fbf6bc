# DeepLabV2 on torchvision's ResNet-50: a lighter network than that of FADA and SDCA, for data of your own.
_base_ = './deeplabv2_r101-d8_imagenet.py'
pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(segmentor=dict(backbone=dict(depth=50, init_cfg=dict(checkpoint=pretrained))))

# FCN-8s on VGG-16 with ImageNet's weights, fc6 and fc7 included. The released code starts from its own file.
_base_ = './deeplabv2_r101.py'
# ImageNet, converted from Caffe: BGR without division, as in the preprocessor.
pretrained = 'https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth'
model = dict(
    segmentor=dict(
        backbone=dict(_delete_=True, type='FCNVGG16', init_cfg=dict(type='StrictPretrained', checkpoint=pretrained)),
        decode_head=dict(_delete_=True, type='FCN8sHead', in_channels=[256, 512, 4096], num_classes=19),
    )
)

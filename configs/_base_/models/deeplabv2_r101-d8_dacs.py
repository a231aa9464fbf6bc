# DeepLabV2 as DACS trains it: AdaptSegNet's network with one level, from the weights of AdvSemiSeg (ImageNet, MS-COCO).
_base_ = './deeplabv2_r101-d8_2branch_single.py'
pretrained = 'http://vllab1.ucmerced.edu/~whung/adv-semi-seg/resnet101COCO-41f33a49.pth'
model = dict(segmentor=dict(backbone=dict(init_cfg=dict(checkpoint=pretrained))))

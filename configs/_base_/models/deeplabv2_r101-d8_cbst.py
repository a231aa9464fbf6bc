# DeepLabV2 on ResNet-101 for CBST: one level; batch-norm statistics stay those of ImageNet in all stages.
_base_ = './deeplabv2_r101-d8.py'
model = dict(segmentor=dict(backbone=dict(norm_eval=True), auxiliary_head=None))

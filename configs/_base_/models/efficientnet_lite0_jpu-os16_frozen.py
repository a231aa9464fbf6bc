# A control without the effect of batch-norm, see efficientnet_lite0_segformer-os16_frozen.py.
_base_ = './efficientnet_lite0_jpu-os16.py'
model = dict(segmentor=dict(backbone=dict(norm_eval=True)))

# The control without the effect of batch-norm: running statistics are those of ImageNet, in training too.
_base_ = './carla2camvid.py'
model = dict(segmentor=dict(backbone=dict(norm_eval=True)))

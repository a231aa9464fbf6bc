# A control without the effect of batch-norm: it uses the running statistics of ImageNet, in training too.
_base_ = './carla2camvid.py'
model = dict(segmentor=dict(backbone=dict(norm_eval=True)))

# The control without the effect of batch-norm: the same network, with the running statistics of ImageNet kept and used
# in training too. Forwarding target images changes nothing then: AdaBN is source-only.
_base_ = './efficientnet_lite0_segformer-os16.py'
model = dict(segmentor=dict(backbone=dict(norm_eval=True)))

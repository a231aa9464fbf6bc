# A control without the effect of batch-norm: the same network keeps the running statistics of ImageNet and uses them in
# training, too. Forwarding target images then changes nothing, so AdaBN equals source-only.
_base_ = './efficientnet_lite0_segformer-os16.py'
model = dict(segmentor=dict(backbone=dict(norm_eval=True)))

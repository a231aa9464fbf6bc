# The network of FADA's (and SDCA's) last stage, where batch-norm is trained, and the size that stage is tested at. It
# tests the released networks.
_base_ = './synthia2city_source.py'
model = dict(segmentor=dict(backbone=dict(norm_cfg=dict(eps=1e-5, requires_grad=True), norm_eval=False)))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

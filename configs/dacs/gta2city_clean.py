# DACS without the quirks of the released code: unlabelled pixels are not pasted and do not count in the mean of the
# mixed loss, colours are jittered in RGB by today's formulas, each weight is updated once in a step, and predictions
# are evaluated at the size of the files. No figure is known.
_base_ = './gta2city.py'
model = dict(paste_ignored=False, mixed_mean='labelled', augmentation=dict(formulas='torchvision', channels='bgr'))
optim_wrapper = dict(
    segmentor=dict(optimizer=dict(_delete_=True, type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4), repeats=None)
)
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    _base_.bilinear,
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

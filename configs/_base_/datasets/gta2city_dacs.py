# GTA5 to Cityscapes as DACS reads them: resized to exact sizes (which stretches GTA5), then crops of 512x512, no flip.
# The target is resized bilinearly. Tests are at 1024x512, against labels of that size. To test at the size of the
# files, as most papers do, use test_pipeline of gta2city.py.
_base_ = './gta2city.py'
crop = dict(type='RandomCrop', crop_size=(512, 512))  # (H, W)
bilinear = dict(_base_.resize, scale=_base_.target_size, interpolation='bilinear')
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(_base_.resize, scale=_base_.source_size),
    crop,
    dict(type='PackSegInputs'),
]
target_pipeline = [dict(type='LoadDomainImage'), bilinear, crop, dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    bilinear,
    dict(type='PredictAtLabelSize'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2, dataset=dict(source=dict(pipeline=source_pipeline), target=dict(pipeline=target_pipeline))
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# GTA5 to Cityscapes as HRDA reads them: as gta2city_daformer.py at twice the size, with crops of 1024x1024. All four
# sides of Cityscapes get no pseudo label.
_base_ = './gta2city_daformer.py'
crop_size = (1024, 1024)  # (H, W)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='Resize', scale=(2560, 1440), keep_ratio=True),
    dict(type='RandomClassCrop', size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadTrustedPixels', border='cityscapes'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
    dict(type='RandomClassCrop', size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDomainInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # the name that mmseg's inferencer looks for
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    sampler=dict(source_policy=dict(min_crop_ratio=2.0)),
    dataset=dict(source=dict(pipeline=source_pipeline), target=dict(pipeline=target_pipeline)),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# GTA5 to Cityscapes as DAFormer reads them: bilinear resize without antialiasing that keeps the aspect ratio (1914x1052
# becomes 1280x704), crops of 512x512, mirrored at random. Rare classes are drawn first. Crops of the source show the
# drawn class, and no crop is filled by one class. Rows at the top and at the bottom of Cityscapes images get no pseudo
# label.
_base_ = './gta2city.py'
crop_size = (512, 512)  # (H, W)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='Resize', scale=(1280, 720), keep_ratio=True),
    dict(type='RandomClassCrop', size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadTrustedPixels', border='cityscapes_rows'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=True),
    dict(type='RandomClassCrop', size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDomainInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(type='Resize', scale=(1024, 512), keep_ratio=True),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2,
    sampler=dict(source_policy=dict(type='RareClassOrder', temperature=0.01, min_pixels=3000, min_crop_ratio=0.5)),
    dataset=dict(source=dict(pipeline=source_pipeline), target=dict(pipeline=target_pipeline)),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

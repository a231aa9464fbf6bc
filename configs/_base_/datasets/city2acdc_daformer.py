# Cityscapes to ACDC as DAFormer reads them, see gta2city_daformer.py. DAFormer trusts no pseudo label in the top 15 and
# the bottom 120 rows of a crop, wherever it lies: it begins in one of the first 29 rows of the image. ACDC shows no
# bonnet, so HRDA and MIC trust all pixels: they have no LoadTrustedPixels.
_base_ = './city2acdc.py'
crop_size = (512, 512)  # (H, W)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations', table='cityscapes'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=True),
    dict(type='RandomClassCrop', size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='Resize', scale=(960, 540), keep_ratio=True),
    dict(type='RandomClassCrop', size=crop_size),
    dict(type='LoadTrustedPixels', border='crop_rows', of='crop'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDomainInputs'),
]
load, _, *steps = _base_.test_pipeline
test_pipeline = [load, dict(type='Resize', scale=(960, 540), keep_ratio=True), *steps]
train_dataloader = dict(
    batch_size=2,
    sampler=dict(source_policy=dict(type='RareClassOrder', temperature=0.01, min_pixels=3000, min_crop_ratio=0.5)),
    dataset=dict(source=dict(pipeline=source_pipeline), target=dict(pipeline=target_pipeline)),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

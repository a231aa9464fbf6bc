# GTA5 to Cityscapes as HRDA reads them: as gta2city_daformer.py at twice the size, with crops of 1024x1024. The borders
# at all four sides of Cityscapes images get no pseudo label.
_base_ = './gta2city_daformer.py'
crop_size = (1024, 1024)  # (H, W)
load, label, resize, crop, *steps = _base_.source_pipeline
source_pipeline = [load, label, dict(resize, scale=(2560, 1440)), dict(crop, size=crop_size), *steps]
load, border, resize, crop, *steps = _base_.target_pipeline
resize = dict(resize, scale=(2048, 1024))
target_pipeline = [load, dict(border, border='cityscapes'), resize, dict(crop, size=crop_size), *steps]
load, _, *steps = _base_.test_pipeline
test_pipeline = [load, resize, *steps]
train_dataloader = dict(
    sampler=dict(source_policy=dict(min_crop_ratio=2.0)),
    dataset=dict(source=dict(pipeline=source_pipeline), target=dict(pipeline=target_pipeline)),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# Cityscapes to ACDC as HRDA reads them: as city2acdc_daformer.py at full size, with crops of 1024x1024. All pixels get
# pseudo labels.
_base_ = './city2acdc_daformer.py'
crop_size = (1024, 1024)  # (H, W)
load, label, resize, crop, *steps = _base_.source_pipeline
source_pipeline = [load, label, dict(resize, scale=(2048, 1024)), dict(crop, size=crop_size), *steps]
load, resize, crop, _, flip, _ = _base_.target_pipeline
resize = dict(resize, scale=(1920, 1080))
target_pipeline = [load, resize, dict(crop, size=crop_size), flip, dict(type='PackSegInputs')]
load, _, *steps = _base_.test_pipeline
test_pipeline = [load, resize, *steps]
train_dataloader = dict(
    sampler=dict(source_policy=dict(min_crop_ratio=2.0)),
    dataset=dict(source=dict(pipeline=source_pipeline), target=dict(pipeline=target_pipeline)),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

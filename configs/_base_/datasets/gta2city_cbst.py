# GTA5 to Cityscapes as CBST reads it: crops of GTA5 at random scales for the source training, and test images with the
# longer side of Cityscapes images.
_base_ = './gta2city.py'
source_crop = dict(type='SmallClassCrop', origin_size=1914, probability=0.0)
source_pipeline = [*_base_.source_pipeline[:2], source_crop, _base_.source_pipeline[-1]]
test_pipeline = [_base_.test_pipeline[0], dict(type='ResizeLongSide', length=2048), *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(source=dict(pipeline=source_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

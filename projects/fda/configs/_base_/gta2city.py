# GTA5 to Cityscapes as FDA reads them: Pillow's bicubic resize, crops of 1024x512 of the source, and whole images of
# the target at that size. Source images have the style of target images. Tested at 1344x576.
_base_ = '../../../../configs/_base_/datasets/gta2city.py'
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(_base_.resize, scale=(1280, 720)),  # (W, H)
    dict(type='OpenCrop', size=(512, 1024)),  # (H, W)
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(_base_.resize, scale=(1344, 576)),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(type='StyledPairDataset', beta=0.01, source=dict(pipeline=source_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

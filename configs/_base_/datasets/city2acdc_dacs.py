# Cityscapes to ACDC as DACS reads its pairs, see gta2city_dacs.py: crops of 512x512, no flip, all pixels trusted.
# Tested at the size of the files. The paper does not have this pair; the settings are ours.
_base_ = './city2acdc.py'
crop = dict(type='RandomCrop', crop_size=(512, 512))  # (H, W)
load, label, resize, pack = _base_.source_pipeline
source_pipeline = [load, label, resize, crop, pack]
load, resize, pack = _base_.target_pipeline
target_pipeline = [load, dict(resize, interpolation='bilinear'), crop, pack]
train_dataloader = dict(
    batch_size=2, dataset=dict(source=dict(pipeline=source_pipeline), target=dict(pipeline=target_pipeline))
)

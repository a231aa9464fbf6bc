# MIC on HRDA, Cityscapes to ACDC: images of both domains are masked, without augmentation.
_base_ = '../../hrda/configs/city2acdc.py'
custom_imports = dict(imports=['mmuda', 'projects.hrda', 'projects.mic'], allow_failed_imports=False)
model = dict(
    type='MICDAFormer',
    masked=dict(images='both', block=64, ratio=0.7, augment=False),
    loss_weights=dict(masked_main=0.9, masked_detail=0.1),
)

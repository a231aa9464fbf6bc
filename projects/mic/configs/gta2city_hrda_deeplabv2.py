# HRDA's training of DeepLabV2 with masked image consistency.
_base_ = '../../hrda/configs/gta2city_deeplabv2.py'
custom_imports = dict(imports=['mmuda', 'projects.hrda', 'projects.mic'], allow_failed_imports=False)
model = dict(
    type='MICDAFormer',
    masked=dict(images='target', block=64, ratio=0.7),
    loss_weights=dict(masked_main=0.9, masked_detail=0.1),
)

# HRDA with DeepLabV2 on ResNet-101 and DAFormer's training, SYNTHIA to Cityscapes.
_base_ = [
    './_base_/hrda_deeplabv2_r101v1c.py',
    '../../../configs/_base_/datasets/synthia2city_hrda.py',
    '../../../configs/_base_/schedules/adamw_40k_deeplabv2.py',
]
custom_imports = dict(imports=['mmuda', 'projects.daformer', 'projects.hrda'], allow_failed_imports=False)
model = dict(type='DAFormer')

# The training of DAFormer with DeepLabV2 on ResNet-101, SYNTHIA to Cityscapes.
_base_ = [
    '../../../configs/_base_/models/deeplabv2_r101v1c-d8_2branch.py',
    '../../../configs/_base_/datasets/synthia2city_daformer.py',
    '../../../configs/_base_/schedules/adamw_40k_deeplabv2.py',
]
custom_imports = dict(imports=['mmuda', 'projects.daformer'], allow_failed_imports=False)
model = dict(type='DAFormer')

# DAFormer, Cityscapes to ACDC.
_base_ = [
    '../../../configs/_base_/models/daformer_mit-b5.py',
    '../../../configs/_base_/datasets/city2acdc_daformer.py',
    '../../../configs/_base_/schedules/adamw_40k.py',
]
custom_imports = dict(imports=['mmuda', 'projects.daformer'], allow_failed_imports=False)
model = dict(type='DAFormer')

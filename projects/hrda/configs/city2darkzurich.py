# HRDA with DAFormer's head and training, Cityscapes to Dark Zurich.
_base_ = [
    './_base_/hrda_mit-b5.py',
    '../../../configs/_base_/datasets/city2darkzurich_hrda.py',
    '../../../configs/_base_/schedules/adamw_40k.py',
]
custom_imports = dict(imports=['mmuda', 'projects.daformer', 'projects.hrda'], allow_failed_imports=False)
model = dict(type='DAFormer')

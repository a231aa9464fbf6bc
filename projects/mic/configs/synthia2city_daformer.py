# DAFormer with masked image consistency, SYNTHIA to Cityscapes (Hoyer et al., CVPR 2023).
_base_ = '../../daformer/configs/synthia2city.py'
custom_imports = dict(imports=['mmuda', 'projects.mic'], allow_failed_imports=False)
model = dict(type='MICDAFormer', masked=dict(images='target', block=32, ratio=0.7))

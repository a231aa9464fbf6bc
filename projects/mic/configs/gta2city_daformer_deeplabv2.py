# DAFormer's training of DeepLabV2 with masked image consistency.
_base_ = '../../daformer/configs/gta2city_deeplabv2.py'
custom_imports = dict(imports=['mmuda', 'projects.mic'], allow_failed_imports=False)
model = dict(type='MICDAFormer', masked=dict(images='target', block=32, ratio=0.7))

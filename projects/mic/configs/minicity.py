# DAFormer's training with masked image consistency on MiniCity, from random weights.
_base_ = '../../daformer/configs/minicity.py'
custom_imports = dict(imports=['mmuda', 'projects.mic'], allow_failed_imports=False)
model = dict(type='MICDAFormer', masked=dict(images='target', block=16, ratio=0.5))

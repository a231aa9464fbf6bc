# DAFormer's training with masked image consistency on MiniCity, from random weights. The teacher knows nothing in the
# beginning, and masked images have no source pixels that would correct it: with its full weight from the start the
# loss holds on to wrong labels (see README.md). So the weight grows over the first 400 iterations. The paper keeps it
# constant.
_base_ = '../../daformer/configs/minicity.py'
custom_imports = dict(imports=['mmuda', 'projects.mic'], allow_failed_imports=False)
model = dict(type='MICDAFormer', masked=dict(images='target', block=16, ratio=0.5))
default_hooks = dict(masked=dict(type='LossWeightRampHook', name='masked_main', begin=0, end=400))

# DAFormer's training with masked image consistency on MiniCity, from random weights. In the beginning the teacher's
# labels are wrong, and masked images have no source pixels that correct them. With its full weight from the start the
# loss keeps wrong labels (see README.md). So the weight grows over the first 400 iterations. The paper keeps it
# constant.
_base_ = '../../daformer/configs/minicity.py'
custom_imports = dict(imports=['mmuda', 'projects.mic'], allow_failed_imports=False)
model = dict(type='MICDAFormer', masked=dict(images='target', block=16, ratio=0.5))
default_hooks = dict(masked=dict(type='LossWeightRampHook', name='masked_main', begin=0, end=400))

# The training of DAFormer on MiniCity, from random weights: there are no features of ImageNet to stay close to.
_base_ = '../../../configs/dacs/minicity.py'
custom_imports = dict(imports=['mmuda', 'projects.daformer'], allow_failed_imports=False)
model = dict(type='DAFormer', teacher=dict(decay=0.99), loss_weights=dict(distance=0.0))
# Images are not cropped. 20 pixels of a class are enough to learn it from, and a higher temperature keeps the others.
train_dataloader = dict(
    sampler=dict(source_policy=dict(type='RareClassOrder', temperature=0.1, min_pixels=20, min_crop_ratio=0))
)

# The training of DAFormer on MiniCity, from random weights. Without ImageNet weights there is no feature distance.
_base_ = '../../../configs/dacs/minicity.py'
custom_imports = dict(imports=['mmuda', 'projects.daformer'], allow_failed_imports=False)
model = dict(type='DAFormer', teacher=dict(decay=0.99), loss_weights=dict(distance=0.0))
# Images are not cropped. Images with 20 pixels of a class count as images of this class, and a higher temperature keeps
# images of other classes.
train_dataloader = dict(
    sampler=dict(source_policy=dict(type='RareClassOrder', temperature=0.1, min_pixels=20, min_crop_ratio=0))
)

# Source training on torchvision's ResNet-101, Cityscapes to Rio of Cross-City: see gta2city_imagenet.py.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_imagenet.py',
    '../_base_/datasets/city2crosscity.py',
    '../_base_/schedules/poly_31k.py',
]
model = dict(type='SourceOnly')
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))

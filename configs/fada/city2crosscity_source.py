# Source training on ResNet-101, Cityscapes to one city of Cross-City, here Rio.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_imagenet.py',
    '../_base_/datasets/city2crosscity.py',
    '../_base_/schedules/poly_31k.py',
]
model = dict(type='SourceOnly')
# Images with rare classes come more often.
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))

# Source training on torchvision's ResNet-101, the first stage of FADA and SDCA. Images with rare classes are drawn more
# often.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_imagenet.py',
    '../_base_/datasets/gta2city.py',
    '../_base_/schedules/poly_31k.py',
]
model = dict(type='SourceOnly')
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))

# Source training on VGG-16, SYNTHIA, 16 classes: see gta2city_imagenet.py.
_base_ = [
    '../_base_/models/deeplabv2_vgg16-d8_fada.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_31k.py',
]
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=16)))
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))

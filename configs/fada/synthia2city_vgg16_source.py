# Stage 1 of FADA on VGG-16, SYNTHIA to Cityscapes, 16 classes.
_base_ = [
    '../_base_/models/deeplabv2_vgg16-d8.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_31k.py',
]
data_preprocessor = dict(mean=[103.939, 116.779, 123.68])
model = dict(type='SourceOnly', data_preprocessor=data_preprocessor, segmentor=dict(decode_head=dict(num_classes=16)))
# Images with rare classes come more often.
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))

# Stage 1 of FADA, SYNTHIA to Cityscapes, 16 classes.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_imagenet.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/poly_31k.py',
]
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=16)))
# Images with rare classes come more often.
train_dataloader = dict(batch_size=2, sampler=dict(source_policy=dict(type='ClassBalancedOrder')))

# Training on the source alone: a light network with released ImageNet weights, which two cores can fine-tune.
_base_ = [
    '../_base_/models/efficientnet_lite0_segformer-os16.py',
    '../_base_/datasets/carla2camvid.py',
    '../_base_/schedules/carla2camvid.py',
]
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=10)))

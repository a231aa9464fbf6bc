# Source-only with the network of SIM, FADA and SDCA, whose head reads one feature map.
_base_ = [
    '../_base_/models/efficientnet_lite0_jpu-os16.py',
    '../_base_/datasets/carla2camvid.py',
    '../_base_/schedules/carla2camvid.py',
]
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=10)))

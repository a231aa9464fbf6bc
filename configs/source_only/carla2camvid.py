# The small network of MiniCity on real photographs, from random weights: a check that a CPU can run.
_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity.py',
    '../_base_/datasets/carla2camvid.py',
    '../_base_/schedules/minicity.py',
]
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=10)))

# DeepLabV2 on ResNet-101 with two levels for the 16 classes of SYNTHIA.
_base_ = './deeplabv2_r101-d8.py'
model = dict(segmentor=dict(auxiliary_head=dict(num_classes=16), decode_head=dict(num_classes=16)))

# Source training of CBST on ResNet-38, SYNTHIA, 16 classes: 50 epochs in batches of 16.
_base_ = [
    '../_base_/models/resnet38-a1-d8.py',
    '../_base_/datasets/synthia2city_cbst.py',
    '../_base_/schedules/cbst_source.py',
]
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=16)))
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=117400, val_interval=23480)

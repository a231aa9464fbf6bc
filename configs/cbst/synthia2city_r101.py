# CBST, SYNTHIA to Cityscapes, 16 classes, on DeepLabV2-ResNet-101; see gta2city_r101.py.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_cbst.py',
    '../_base_/datasets/synthia2city_cbst.py',
    '../_base_/schedules/poly_250k.py',
    '../_base_/stages/cbst_synthia_r101.py',
]
runner_type = 'StagedRunner'
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=16)))
train_dataloader = _base_.train_dataloader
train_dataloader.dataset.source.pipeline[2].label_stride = 1  # logits are upsampled
rounds = dict(train=dict(train_dataloader=dict(dataset=dict(target=dict(metainfo=_base_.metainfo)))))

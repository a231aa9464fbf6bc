# CBST, GTA5 to Cityscapes (Zou et al., ECCV 2018) on DeepLabV2-ResNet-101: source-only training, then six rounds.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_cbst.py',
    '../_base_/datasets/gta2city_cbst.py',
    '../_base_/schedules/poly_250k.py',
    '../_base_/stages/cbst_r101.py',
]
runner_type = 'StagedRunner'
model = dict(type='SourceOnly')
train_dataloader = _base_.train_dataloader
train_dataloader.dataset.source.pipeline[2].label_stride = 1  # logits are upsampled

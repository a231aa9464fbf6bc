# Source training of CBST on ResNet-38: crops of GTA5 at random scales, labels subsampled at the stride of the network.
_base_ = [
    '../_base_/models/resnet38-a1-d8.py',
    '../_base_/datasets/gta2city_cbst.py',
    '../_base_/schedules/cbst_source.py',
]
model = dict(type='SourceOnly')
train_dataloader = dict(batch_size=4)

# CBST, SYNTHIA to Cityscapes, 16 classes, on ResNet-38; see gta2city.py.
_base_ = ['./synthia2city_source.py', '../_base_/stages/cbst_synthia.py']
runner_type = 'StagedRunner'
rounds = dict(train=dict(train_dataloader=dict(dataset=dict(target=dict(metainfo=_base_.metainfo)))))

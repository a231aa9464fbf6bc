# MIC on HRDA, Cityscapes to Dark Zurich: images of both domains are masked, without augmentation.
_base_ = ['./city2acdc.py', '../../../configs/_base_/datasets/dark_zurich.py']
train_dataloader = dict(dataset=dict(target=_base_.dark_zurich_target))
val_dataloader = dict(dataset=_base_.dark_zurich_test)
test_dataloader = val_dataloader

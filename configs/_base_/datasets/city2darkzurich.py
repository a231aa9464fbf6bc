# Cityscapes (labelled, 1024x512) to the nights of Dark Zurich (unlabelled, 960x540).
_base_ = ['./city2acdc.py', './dark_zurich.py']
train_dataloader = dict(dataset=dict(target=_base_.dark_zurich_target))
val_dataloader = dict(dataset=_base_.dark_zurich_test)
test_dataloader = val_dataloader

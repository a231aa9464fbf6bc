# IntraDA, SYNTHIA to Cityscapes, 16 classes.
_base_ = ['../advent/synthia2city.py', '../_base_/stages/intrada.py']
runner_type = 'StagedRunner'
splits = dict(source=dict(metainfo={{_base_.metainfo}}), target=dict(metainfo={{_base_.metainfo}}))
intra = dict(overrides=dict(train_dataloader=dict(dataset=splits)))

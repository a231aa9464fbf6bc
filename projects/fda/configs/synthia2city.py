# FDA with two rounds of self-training, SYNTHIA to Cityscapes (Yang and Soatto, CVPR 2020).
_base_ = ['./synthia2city_single.py', './_base_/rounds.py']
runner_type = 'StagedRunner'
# The style is that of other target images than those with labels.
rounds = dict(train=dict(train_dataloader=dict(dataset=dict(style={{_base_.train_dataloader.dataset.target}}))))

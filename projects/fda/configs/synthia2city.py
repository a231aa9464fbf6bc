# FDA with two rounds of self-training, SYNTHIA to Cityscapes (Yang and Soatto, CVPR 2020).
_base_ = ['./synthia2city_single.py', './_base_/rounds.py']
runner_type = 'StagedRunner'
# Styles come from other target images than the pseudo-labelled images of the pairs.
rounds = dict(train=dict(train_dataloader=dict(dataset=dict(style={{_base_.train_dataloader.dataset.target}}))))

# FDA with two rounds of self-training, FCN-8s on VGG-16, GTA5 to Cityscapes.
_base_ = ['./gta2city_vgg16_single.py', './_base_/rounds.py']
runner_type = 'StagedRunner'
# Styles come from other target images than the pseudo-labelled images of the pairs.
rounds = dict(train=dict(train_dataloader=dict(dataset=dict(style={{_base_.train_dataloader.dataset.target}}))))

# FDA with two rounds of self-training, FCN-8s on VGG-16, GTA5 to Cityscapes.
_base_ = ['./gta2city_vgg16_single.py', './_base_/rounds.py']
runner_type = 'StagedRunner'
# The style is that of other target images than those with labels.
rounds = dict(train=dict(train_dataloader=dict(dataset=dict(style={{_base_.train_dataloader.dataset.target}}))))

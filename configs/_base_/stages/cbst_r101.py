# CBST's rounds for DeepLabV2-ResNet-101: labels at the size of the crop, because logits are upsampled, and the learning
# rate that the authors use with this network (CRST, 2019).
_base_ = './cbst.py'
rounds = _base_.rounds
rounds.label.flip = True
rounds.train.optim_wrapper.segmentor = dict(
    optimizer=dict(_replace_=True, type='SGD', lr=5e-5, momentum=0.9, weight_decay=5e-4), repeats=None
)
rounds.train.train_dataloader.dataset.source.pipeline[2].label_stride = 1
rounds.train.train_dataloader.dataset.target.pipeline[2].label_stride = 1

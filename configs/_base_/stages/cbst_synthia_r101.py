# CBST's rounds for SYNTHIA on DeepLabV2-ResNet-101: see cbst_synthia.py.
_base_ = './cbst_r101.py'
rounds = _base_.rounds
rounds.target_portion.init = 0.2
rounds.source_portion.init = 0.02
rounds.train.train_dataloader.dataset.source.pipeline[2].update(origin_size=1280, max_shape=(760, 1280))

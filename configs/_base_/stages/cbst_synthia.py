# CBST's rounds for SYNTHIA: 16 classes, source images of 1280x760, other portions.
_base_ = './cbst.py'
rounds = _base_.rounds
rounds.target_portion.init = 0.2
rounds.source_portion.init = 0.02
rounds.train.train_dataloader.dataset.source.pipeline[2].update(origin_size=1280, max_shape=(760, 1280))

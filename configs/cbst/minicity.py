# CBST on MiniCity: AdaBN training, then one round of labelling and training. As in the paper, batch-norm statistics are
# frozen in the round. Here they are those of both domains.
_base_ = ['../adabn/minicity.py', '../_base_/stages/cbst.py']
runner_type = 'StagedRunner'
rounds = _base_.rounds
rounds.update(num_rounds=1, epochs_per_round=4)
rounds.update(target_portion=dict(init=0.2, step=0.05, max=0.5), source_portion=dict(init=1.0, step=0.0, max=1.0))
rounds.label.update(pipeline=None, batch_size=4, num_workers=0)
rounds.train.optim_wrapper.segmentor.optimizer.lr = 0.005
rounds.train.param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, by_epoch=False)]
rounds.train.train_dataloader.batch_size = _base_.train_dataloader.batch_size
small_crop = dict(size=64, label_stride=1, origin_size=128, max_shape=None)
rounds.train.train_dataloader.dataset.source.pipeline[2].update(small_crop)
rounds.train.train_dataloader.dataset.target.pipeline[2].update(small_crop)

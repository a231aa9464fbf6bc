# CBST: 589 iterations on the source, then one round: labelling, and a pass over all images of both domains in 211
# iterations of 4 images. As in the paper, batch-norm statistics are frozen in the round.
_base_ = ['../source_only/carla2camvid.py', '../_base_/stages/cbst.py']
runner_type = 'StagedRunner'
source = dict(
    overrides=dict(
        train_cfg=dict(max_iters=589, val_interval=589), param_scheduler=[dict(_base_.param_scheduler[0], end=590)]
    )
)
rounds = _base_.rounds
rounds.update(num_rounds=1, epochs_per_round=1)
rounds.update(target_portion=dict(init=0.5, step=0.0, max=0.5), source_portion=dict(init=1.0, step=0.0, max=1.0))
rounds.label.update(pipeline=None, batch_size=4, num_workers=0)
rounds.train.optim_wrapper.segmentor.optimizer.lr = 2e-4
rounds.train.param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, by_epoch=False)]
loader = rounds.train.train_dataloader
loader.batch_size = 2 * _base_.train_dataloader.batch_size
# A square crop with about as many pixels as the crops of the other methods, at the same scales.
square = dict(size=160, stride=16, label_stride=1, origin_size=None, max_shape=None)
*_, crop, pack = loader.dataset.source.pipeline
crop.update(square, scale_range=(1.0, 3.0))
loader.dataset.source.pipeline[3:] = [_base_.source_pipeline[5], pack]
loader.dataset.target.pipeline[2].update(square, scale_range=(1.0, 1.5))
loader.dataset.target.metainfo = _base_.metainfo

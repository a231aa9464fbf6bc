# AdaBN for as long as the methods of two stages train: source-only first, then AdaBN from its weights at half the rate.
_base_ = '../source_only/minicity.py'
runner_type = 'StagedRunner'
stages = ['source', 'adabn']
source = dict(type='TrainStage')
adabn = dict(
    type='TrainStage',
    weights='{source}',
    overrides=dict(model=dict(type='AdaBN'), optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.005)))),
)

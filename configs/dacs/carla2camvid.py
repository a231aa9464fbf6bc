# DACS with half of the budget for a source training and half for the adaptation, which starts from its weights. Without
# a source training the teacher labels badly in so few iterations, see README.md.
#
# Labels of the source leave out a sixth of each image (the bonnet), so ignored pixels are neither pasted nor counted.
# After so few iterations hardly any pixel reaches the paper's threshold of 0.968, and pseudo labels would have almost
# no weight. So the threshold is 0.9.
_base_ = '../source_only/carla2camvid.py'
runner_type = 'StagedRunner'
stages = ['source', 'adapt']
source = dict(type='TrainStage', overrides=_base_.half)
adapt = dict(
    type='TrainStage',
    weights='{source}',
    overrides=dict(_base_.half, model=dict(type='DACS', threshold=0.9, paste_ignored=False, mixed_mean='labelled')),
)

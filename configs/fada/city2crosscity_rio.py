# FADA, Cityscapes to Rio of Cross-City: a protocol reconstructed from what its author says (issue 6); no code is
# released.
_base_ = ['../source_only/city2crosscity_imagenet.py', '../_base_/stages/fada.py']
runner_type = 'StagedRunner'
# Colours change before the image is resized.
source_pipeline = [*_base_.source_pipeline[:2], _base_.jitter, *_base_.source_pipeline[2:]]
adversarial = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
distil = dict(overrides=_base_.trained_batch_norm)

# FADA, Cityscapes to Rio of Cross-City: no code is released, so the protocol is reconstructed from the author's answer
# (issue 6).
_base_ = ['../source_only/city2crosscity_imagenet.py', '../_base_/stages/fada.py']
runner_type = 'StagedRunner'
# Colours change before the image is resized.
source_pipeline = [*_base_.source_pipeline[:2], _base_.jitter, *_base_.source_pipeline[2:]]
adversarial = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
distil = dict(overrides=_base_.trained_batch_norm)

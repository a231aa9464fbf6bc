# SDCA, Cityscapes to Rio of Cross-City: no code is released for this pair, so the protocol is reconstructed from the
# answer of FADA's author.
_base_ = ['../source_only/city2crosscity_imagenet.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
# Colours change after the image is resized.
source_pipeline = [*_base_.source_pipeline[:-1], *_base_.photometric, _base_.source_pipeline[-1]]
adapt = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
ssl = dict(overrides=_base_.trained_batch_norm)

# SDCA, GTA5 to Cityscapes (Li et al., 2021), all stages. Batch-norm is trained in the last one.
_base_ = ['../source_only/gta2city_imagenet.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
# Colours change after the image is resized.
source_pipeline = [*_base_.source_pipeline[:-1], *_base_.photometric, _base_.source_pipeline[-1]]
adapt = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
ssl = dict(overrides=_base_.trained_batch_norm)

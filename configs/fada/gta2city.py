# FADA, GTA5 to Cityscapes (Wang et al., ECCV 2020), all stages. Batch-norm is trained in the last one.
_base_ = ['../source_only/gta2city_imagenet.py', '../_base_/stages/fada.py']
runner_type = 'StagedRunner'
# Colours change before the image is resized.
source_pipeline = [*_base_.source_pipeline[:2], _base_.jitter, *_base_.source_pipeline[2:]]
adversarial = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
distil = dict(overrides=_base_.trained_batch_norm)

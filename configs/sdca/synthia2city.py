# SDCA, SYNTHIA to Cityscapes, 16 classes.
_base_ = ['../source_only/synthia2city_imagenet.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
# Colours change after the image is resized.
source_pipeline = [*_base_.source_pipeline[:-1], *_base_.photometric, _base_.source_pipeline[-1]]
adapt = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
ssl = dict(
    overrides=dict(
        _base_.trained_batch_norm, train_dataloader=dict(dataset=dict(target=dict(metainfo=_base_.metainfo)))
    )
)

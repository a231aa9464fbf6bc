# FADA, SYNTHIA to Cityscapes, 16 classes. Batch-norm stays frozen in the last stage, too.
_base_ = ['../source_only/synthia2city_imagenet.py', '../_base_/stages/fada.py']
runner_type = 'StagedRunner'
# Colours change before the image is resized.
source_pipeline = [*_base_.source_pipeline[:2], _base_.jitter, *_base_.source_pipeline[2:]]
adversarial = dict(
    overrides=dict(
        model=dict(discriminator=dict(num_classes=16)),
        train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline))),
    )
)
distil = dict(overrides=dict(train_dataloader=dict(dataset=dict(target=dict(metainfo=_base_.metainfo)))))

# FADA on VGG-16, GTA5 to Cityscapes. The last stage has no colour jitter.
_base_ = ['../source_only/gta2city_vgg16.py', '../_base_/stages/fada.py']
runner_type = 'StagedRunner'
# Colours change before the image is resized.
source_pipeline = [*_base_.source_pipeline[:2], _base_.jitter, *_base_.source_pipeline[2:]]
adversarial = dict(
    overrides=dict(
        model=dict(discriminator=dict(in_channels=1024)),
        train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline))),
    )
)
distil = dict(
    overrides=dict(
        train_dataloader=dict(
            dataset=dict(target=dict(pipeline=[step for step in _base_.distil_pipeline if step != _base_.jitter]))
        )
    )
)

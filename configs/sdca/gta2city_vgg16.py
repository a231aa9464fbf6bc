# SDCA on VGG-16, GTA5 to Cityscapes. The last stage does not change colours.
_base_ = ['../source_only/gta2city_vgg16.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
# Colours change after the image is resized.
source_pipeline = [*_base_.source_pipeline[:-1], *_base_.photometric, _base_.source_pipeline[-1]]
adapt = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
ssl = dict(
    overrides=dict(
        train_dataloader=dict(
            dataset=dict(target=dict(pipeline=[step for step in _base_.ssl_pipeline if step not in _base_.photometric]))
        )
    )
)

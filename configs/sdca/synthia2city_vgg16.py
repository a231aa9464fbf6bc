# SDCA on VGG-16, SYNTHIA to Cityscapes, 16 classes.
_base_ = ['../source_only/synthia2city_vgg16.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
# Colours change after the image is resized.
source_pipeline = [*_base_.source_pipeline[:-1], *_base_.photometric, _base_.source_pipeline[-1]]
adapt = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
ssl = dict(
    overrides=dict(
        train_dataloader=dict(
            dataset=dict(
                target=dict(
                    metainfo=_base_.metainfo,
                    pipeline=[step for step in _base_.ssl_pipeline if step not in _base_.photometric],
                )
            )
        )
    )
)

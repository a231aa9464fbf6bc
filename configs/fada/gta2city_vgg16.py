# FADA on VGG-16, GTA5 to Cityscapes. Colours stay as they are in the last stage.
_base_ = ['./gta2city_vgg16_source.py', '../_base_/schedules/fada.py']
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
test_evaluator = dict(
    paper=dict(
        name='FADA VGG-16 (Wang et al. 2020)',
        per_class=[
            92.3,
            51.1,
            83.7,
            33.1,
            29.1,
            28.5,
            28.0,
            21.0,
            82.6,
            32.6,
            85.3,
            55.2,
            28.8,
            83.5,
            24.4,
            37.4,
            0.0,
            21.1,
            15.2,
        ],
        mIoU=43.8,
    )
)

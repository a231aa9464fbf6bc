# FADA on VGG-16, SYNTHIA to Cityscapes, 16 classes.
_base_ = ['./synthia2city_vgg16_source.py', '../_base_/schedules/fada.py']
runner_type = 'StagedRunner'
# Colours change before the image is resized.
source_pipeline = [*_base_.source_pipeline[:2], _base_.jitter, *_base_.source_pipeline[2:]]
adversarial = dict(
    overrides=dict(
        model=dict(discriminator=dict(in_channels=1024, num_classes=16)),
        train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline))),
    )
)
distil = dict(
    overrides=dict(
        train_dataloader=dict(
            dataset=dict(
                target=dict(
                    metainfo=_base_.metainfo,
                    pipeline=[step for step in _base_.distil_pipeline if step != _base_.jitter],
                )
            )
        )
    )
)
test_evaluator = dict(
    paper=dict(
        name='FADA VGG-16 (Wang et al. 2020)',
        per_class=[80.4, 35.9, 80.9, 2.5, 0.3, 30.4, 7.9, 22.3, 81.8, 83.6, 48.9, 16.8, 77.7, 31.1, 13.5, 17.9],
        mIoU16=39.5,
        mIoU13=46.0,
    )
)

# SDCA on VGG-16, SYNTHIA to Cityscapes, 16 classes.
_base_ = ['../fada/synthia2city_vgg16_source.py', '../_base_/schedules/sdca.py']
runner_type = 'StagedRunner'
# Colours change when the image has been resized.
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
test_evaluator = dict(paper=dict(name='SDCA VGG-16 (Li et al. 2021)', mIoU16=43.5, mIoU13=50.3))

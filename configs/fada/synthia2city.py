# FADA, SYNTHIA to Cityscapes, 16 classes. Batch-norm stays frozen in the last stage, too.
_base_ = ['./synthia2city_source.py', '../_base_/schedules/fada.py']
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
test_evaluator = dict(
    paper=dict(
        name='FADA (Wang et al. 2020)',
        per_class=[84.5, 40.1, 83.1, 4.8, 0.0, 34.3, 20.1, 27.2, 84.8, 84.0, 53.5, 22.6, 85.4, 43.7, 26.8, 27.8],
        mIoU16=45.2,
        mIoU13=52.5,
    )
)

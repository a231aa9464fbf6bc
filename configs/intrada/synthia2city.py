# IntraDA, SYNTHIA to Cityscapes, 16 classes.
_base_ = ['../advent/synthia2city.py', '../_base_/schedules/intrada.py']
runner_type = 'StagedRunner'
splits = dict(source=dict(metainfo={{_base_.metainfo}}), target=dict(metainfo={{_base_.metainfo}}))
intra = dict(overrides=dict(train_dataloader=dict(dataset=splits)))
test_evaluator = dict(
    paper=dict(
        _delete_=True,
        name='IntraDA (Pan et al. 2020)',
        per_class=[84.3, 37.7, 79.5, 5.3, 0.4, 24.9, 9.2, 8.4, 80.0, 84.1, 57.2, 23.0, 78.0, 38.1, 20.3, 36.5],
        mIoU16=41.7,
        mIoU13=48.9,
    )
)

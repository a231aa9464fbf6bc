# FADA, GTA5 to Cityscapes (Wang et al., ECCV 2020), all stages. Batch-norm is trained in the last one.
_base_ = ['./gta2city_source.py', '../_base_/schedules/fada.py']
runner_type = 'StagedRunner'
# Colours change before the image is resized.
source_pipeline = [*_base_.source_pipeline[:2], _base_.jitter, *_base_.source_pipeline[2:]]
adversarial = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
distil = dict(
    overrides=dict(
        model=dict(segmentor=dict(backbone=dict(norm_cfg=dict(eps=1e-5, requires_grad=True), norm_eval=False))),
        sync_bn='torch',
    )
)
test_evaluator = dict(
    paper=dict(
        name='FADA (Wang et al. 2020)',
        per_class=[
            92.5,
            47.5,
            85.1,
            37.6,
            32.8,
            33.4,
            33.8,
            18.4,
            85.3,
            37.7,
            83.5,
            63.2,
            39.7,
            87.5,
            32.9,
            47.8,
            1.6,
            34.9,
            39.5,
        ],
        mIoU=49.2,
    )
)

# FADA, SYNTHIA to Cityscapes, 16 classes. Batch-norm stays frozen in the last stage, too.
_base_ = ['./synthia2city_source.py', '../_base_/schedules/fada.py']
runner_type = 'StagedRunner'
jitter = dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2)
source_pipeline = [  # colours change before the image is resized
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    jitter,
    dict(type='Resize', scale=(1280, 760), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='PackSegInputs'),
]
distil_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    jitter,
    dict(type='RandomScale', range=(0.5, 1.5)),
    dict(type='PadCrop', size=(512, 1024)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
native_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
adversarial = dict(
    overrides=dict(
        model=dict(discriminator=dict(num_classes=16)),
        train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
distil = dict(
    overrides=dict(
        train_dataloader=dict(
            dataset=dict(
                _delete_=True,
                type='DomainMixDataset',
                source=None,
                target=dict(
                    type='PseudoLabelDataset',
                    labels='{label}',
                    metainfo={{_base_.metainfo}},
                    pipeline=distil_pipeline))),
        val_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=native_pipeline))))
test_evaluator = dict(
    paper=dict(
        name='FADA (Wang et al. 2020)',
        per_class=[84.5, 40.1, 83.1, 4.8, 0.0, 34.3, 20.1, 27.2, 84.8, 84.0, 53.5, 22.6, 85.4, 43.7, 26.8, 27.8],
        mIoU16=45.2,
        mIoU13=52.5))

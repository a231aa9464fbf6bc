# FADA on VGG-16, SYNTHIA to Cityscapes, 16 classes.
_base_ = ['./synthia2city_vgg16_source.py', '../_base_/schedules/fada.py']
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
        model=dict(discriminator=dict(in_channels=1024, num_classes=16)),
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
        name='FADA VGG-16 (Wang et al. 2020)',
        per_class=[80.4, 35.9, 80.9, 2.5, 0.3, 30.4, 7.9, 22.3, 81.8, 83.6, 48.9, 16.8, 77.7, 31.1, 13.5, 17.9],
        mIoU16=39.5,
        mIoU13=46.0))

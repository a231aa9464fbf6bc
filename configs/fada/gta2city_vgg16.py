# FADA on VGG-16, GTA5 to Cityscapes. Colours stay as they are in the last stage.
_base_ = ['./gta2city_vgg16_source.py', '../_base_/schedules/fada.py']
runner_type = 'StagedRunner'
jitter = dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2)
source_pipeline = [  # colours change before the image is resized
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    jitter,
    dict(type='Resize', scale=(1280, 720), keep_ratio=False, backend='pillow', interpolation='bicubic'),
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
        model=dict(discriminator=dict(in_channels=1024)),
        train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
distil = dict(
    overrides=dict(
        train_dataloader=dict(
            dataset=dict(
                _delete_=True,
                type='DomainMixDataset',
                source=None,
                target=dict(type='PseudoLabelDataset', labels='{label}', pipeline=distil_pipeline))),
        val_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=native_pipeline))))
test_evaluator = dict(
    paper=dict(
        name='FADA VGG-16 (Wang et al. 2020)',
        per_class=[92.3, 51.1, 83.7, 33.1, 29.1, 28.5, 28.0, 21.0, 82.6, 32.6, 85.3, 55.2, 28.8, 83.5, 24.4, 37.4, 0.0,
                   21.1, 15.2],
        mIoU=43.8))

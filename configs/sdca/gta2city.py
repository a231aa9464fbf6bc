# SDCA, GTA5 to Cityscapes (Li et al., 2021), all stages. Batch-norm is trained in the last one, which is tested at
# 2048x1024.
_base_ = ['../fada/gta2city_source.py', '../_base_/schedules/sdca.py']
runner_type = 'StagedRunner'
photometric = [
    dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2),
    dict(type='RandomPillowGrayscale', prob=0.2),
    dict(type='RandomGaussianBlur', sigma=(0.1, 2.0), kernel=3),
]
source_pipeline = [  # colours change when the image has been resized
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='Resize', scale=(1280, 720), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    *photometric,
    dict(type='PackSegInputs'),
]
ssl_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    dict(type='RandomScale', range=(0.5, 1.5)),
    dict(type='PadCrop', size=(512, 1024)),
    dict(type='RandomFlip', prob=0.5),
    *photometric,
    dict(type='PackSegInputs'),
]
native_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
adapt = dict(overrides=dict(train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
ssl = dict(
    overrides=dict(
        model=dict(segmentor=dict(backbone=dict(norm_cfg=dict(eps=1e-5, requires_grad=True), norm_eval=False))),
        sync_bn='torch',
        train_dataloader=dict(
            dataset=dict(
                _delete_=True,
                type='DomainMixDataset',
                source=None,
                target=dict(
                    type='PseudoLabelDataset',
                    labels='{label}',
                    pipeline=ssl_pipeline))),
        val_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=native_pipeline))))
test_evaluator = dict(paper=dict(name='SDCA (Li et al. 2021)', mIoU=52.9))

# FADA, GTA5 to Cityscapes (Wang et al., ECCV 2020), all stages. Batch-norm is trained in the last one, which is tested at
# 2048x1024.
_base_ = ['./gta2city_source.py', '../_base_/schedules/fada.py']
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
        train_dataloader=dict(dataset=dict(source=dict(pipeline=source_pipeline)))))
distil = dict(
    overrides=dict(
        model=dict(segmentor=dict(backbone=dict(norm_cfg=dict(eps=1e-5, requires_grad=True), norm_eval=False))),
        sync_bn='torch',
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
        name='FADA (Wang et al. 2020)',
        per_class=[92.5, 47.5, 85.1, 37.6, 32.8, 33.4, 33.8, 18.4, 85.3, 37.7, 83.5, 63.2, 39.7, 87.5, 32.9, 47.8, 1.6,
                   34.9, 39.5],
        mIoU=49.2))

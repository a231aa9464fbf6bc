# The stages of FADA after its source training: adversarial learning, a label for every target pixel, self-distillation.
jitter = dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2)
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
stages = ['source', 'adversarial', 'label', 'distil']
source = dict(type='TrainStage')
adversarial = dict(
    type='TrainStage',
    weights='{source}',
    overrides=dict(
        model=dict(
            type='FADA',
            discriminator=dict(type='PixelDiscriminatorHead', in_channels=2048, num_classes=19, channels=(256, 128)),
            temperature=1.8,
            clip=0.9,
            loss_weights=dict(seg_main=1.0, adv=0.001),
        ),
        optim_wrapper=dict(
            segmentor=dict(optimizer=dict(lr=2.5e-4)),
            discriminator=dict(optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.99))),
        ),
        param_scheduler=[dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=62501, by_epoch=False)],
        train_cfg=dict(max_iters=40000, val_interval=8000),
        train_dataloader=dict(batch_size=1),
    ),
)
label = dict(type='LabelStage', weights='{adversarial}', strategy=dict(type='Argmax'), num_workers=4)
# From ImageNet again, on target images alone; tested at their own size.
distil = dict(
    type='TrainStage',
    weights=None,
    overrides=dict(
        model=dict(type='SelfTraining'),
        train_dataloader=dict(
            sampler=dict(_delete_=True, type='DomainMixSampler'),
            collate_fn=dict(type='mixed_collate'),
            dataset=dict(
                _delete_=True,
                type='DomainMixDataset',
                source=None,
                target=dict(type='PseudoLabelDataset', labels='{label}', pipeline=distil_pipeline),
            ),
        ),
        val_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
    ),
)

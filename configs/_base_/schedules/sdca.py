# The stages of SDCA after its source training: distributions of the source's classes, contrast with them, pseudo labels
# at median thresholds, training on these alone.
photometric = [
    dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2),
    dict(type='RandomPillowGrayscale', prob=0.2),
    dict(type='RandomGaussianBlur', sigma=(0.1, 2.0), kernel=3),
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
# The model that gathers the distributions is the model that is adapted: a config that changes one changes both.
sdca = dict(
    type='SDCA',
    tau=100.0,
    delta=0.9,
    multi_level=True,
    reduce_statistics=True,
    loss_weights=dict(seg_main=1.0, lov_main=0.75, feat=1.0, out=1.0),
)
stages = ['source', 'statistics', 'adapt', 'label', 'ssl']
source = dict(type='TrainStage', overrides=dict(model=dict(loss_weights=dict(lov_main=0.75))))
statistics = dict(type='StatisticsStage', weights='{source}', overrides=dict(model=sdca), num_workers=4)
adapt = dict(
    type='TrainStage',
    weights='{statistics}',
    overrides=dict(
        model=sdca,
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=2.5e-4))),
        param_scheduler=[dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=62501, by_epoch=False)],
        train_cfg=dict(max_iters=40000, val_interval=8000),
        train_dataloader=dict(batch_size=1),
    ),
)
# Thresholds at the size of the network's input, labels at that of the image.
label = dict(
    type='LabelStage', weights='{adapt}', strategy=dict(type='MedianCap', cap=0.9), thresholds_at='input', num_workers=4
)
# From ImageNet again, on target images alone, without Lovasz; tested at their own size.
ssl = dict(
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
                target=dict(type='PseudoLabelDataset', labels='{label}', pipeline=ssl_pipeline),
            ),
        ),
        val_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
    ),
)

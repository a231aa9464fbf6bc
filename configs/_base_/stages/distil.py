# Self-distillation, the last stage of FADA and SDCA: a training from the starting weights again, on target images with
# pseudo labels alone, tested at the original image size.
native_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
self_distillation = dict(
    type='TrainStage',
    weights=None,
    overrides=dict(
        model=dict(type='SelfTraining'),
        train_dataloader=dict(
            sampler=dict(_replace_=True, type='DomainUnionSampler'),
            collate_fn=dict(type='union_collate'),
            dataset=dict(
                _replace_=True,
                type='DomainUnionDataset',
                source=None,
                target=dict(type='PseudoLabelDataset', labels='{label}'),
            ),
        ),
        val_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=native_pipeline)),
    ),
)
# Overrides for a stage in which batch-norm is trained. In the stages before, it is frozen.
trained_batch_norm = dict(
    model=dict(segmentor=dict(backbone=dict(norm_cfg=dict(eps=1e-5, requires_grad=True), norm_eval=False))),
    sync_bn='torch',
)
# Overrides for the second training of FADA and SDCA: half of the rate, a longer schedule, one image of each domain on
# each process.
adaptation = dict(
    optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=2.5e-4))),
    param_scheduler=[dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=62501, by_epoch=False)],
    train_cfg=dict(max_iters=40000, val_interval=8000),
    train_dataloader=dict(batch_size=1),
)

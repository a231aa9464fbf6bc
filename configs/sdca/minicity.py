# SDCA on MiniCity, from random weights: the stages of gta2city.py with a smaller network, each training as long as
# source-only. Batch-norm is trained throughout, and the last training starts from the adapted network, because there
# are no ImageNet weights here.
_base_ = ['../source_only/minicity.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
statistics = dict(batch_size=4, num_workers=0)
adapt = dict(
    overrides=dict(
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.005))),
        param_scheduler=_base_.param_scheduler,
        train_cfg=_base_.train_cfg,
        train_dataloader=dict(batch_size=_base_.train_dataloader.batch_size),
    )
)
label = dict(batch_size=4, num_workers=0)
small_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    dict(type='RandomScale'),
    dict(type='PadCrop', size=(64, 128)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
ssl = dict(
    weights='{adapt}',
    overrides=dict(
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.005))),
        train_dataloader=dict(dataset=dict(target=dict(pipeline=small_pipeline))),
        val_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
    ),
)

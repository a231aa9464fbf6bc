# SDCA on MiniCity, from random weights: the stages of gta2city.py in small, each 600 iterations. Batch-norm is trained
# throughout, and the last stage starts from the adapted network, as there are no ImageNet weights here.
_base_ = ['../source_only/minicity.py', '../_base_/stages/sdca.py']
runner_type = 'StagedRunner'
statistics = dict(batch_size=4, num_workers=0)
adapt = dict(
    overrides=dict(
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.01))),
        param_scheduler=[dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=601, by_epoch=False)],
        train_cfg=dict(max_iters=600, val_interval=600),
        train_dataloader=dict(batch_size=4),
    )
)
label = dict(batch_size=4, num_workers=0)
small_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    dict(type='RandomScale', range=(0.5, 1.5)),
    dict(type='PadCrop', size=(64, 128)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
ssl = dict(
    weights='{adapt}',
    overrides=dict(
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.01))),
        train_dataloader=dict(dataset=dict(target=dict(pipeline=small_pipeline))),
        val_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
    ),
)

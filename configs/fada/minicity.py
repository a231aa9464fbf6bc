# FADA on MiniCity, from random weights: the stages of gta2city.py with a smaller network, each training as long as
# source-only. Batch-norm is trained throughout, and the last training starts from the weights of the stage before,
# because there are no ImageNet weights here.
_base_ = ['../source_only/minicity.py', '../_base_/stages/fada.py']
runner_type = 'StagedRunner'
adversarial = dict(
    overrides=dict(
        model=dict(
            discriminator=dict(in_channels=256, channels=(64, 32)), temperature=1.8, loss_weights=dict(adv=0.05)
        ),
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.005)), discriminator=dict(optimizer=dict(lr=1e-3))),
        param_scheduler=_base_.param_scheduler,
        train_cfg=_base_.train_cfg,
        train_dataloader=dict(batch_size=_base_.train_dataloader.batch_size),
    )
)
label = dict(batch_size=4, num_workers=0)
small_pipeline = [  # no random scale: at half of 64 rows small things vanish
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
distil = dict(
    weights='{adversarial}',
    overrides=dict(
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.005))),
        train_dataloader=dict(dataset=dict(target=dict(pipeline=small_pipeline))),
        val_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
        test_dataloader=dict(dataset=dict(pipeline=_base_.test_pipeline)),
    ),
)

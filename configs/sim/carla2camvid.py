# SIM with half of the budget for each phase; the second starts from the weights, the memories and the discriminator of
# the first.
_base_ = ['../source_only/carla2camvid_one_map.py', '../_base_/stages/sim.py']
runner_type = 'StagedRunner'
model = dict(
    type='SIM',
    discriminator=dict(type='FCDiscriminatorHead', in_channels=10, base_channels=16),
    stuff=(0, 1, 2, 3, 6, 7),
    things=(4, 5, 8, 9),
    prototypes=20,
    loss_weights=dict(adv_main=0.01),
)
optim_wrapper = dict(discriminator=dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99))))
phase1 = dict(overrides=_base_.half)
label = dict(batch_size=4, num_workers=0, at='image')
phase2 = dict(
    weights='{phase1}',
    overrides=dict(
        _base_.half,
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=2e-4))),
        train_dataloader=dict(dataset=dict(target=dict(metainfo=_base_.metainfo, pipeline=_base_.pseudo_pipeline))),
    ),
)

# SIM on MiniCity, from random weights. The second phase starts from the weights, the memories and the discriminator of
# the first, because there are no ImageNet weights here. Short runs need smaller memories and larger weights of the
# alignment.
_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity_adversarial.py',
    '../_base_/datasets/minicity.py',
    '../_base_/schedules/minicity_adversarial.py',
    '../_base_/stages/sim.py',
]
runner_type = 'StagedRunner'
model = dict(type='SIM', prototypes=10, loss_weights=dict(adv_main=0.1, stuff=0.1, ins=0.1))
label = dict(batch_size=4, num_workers=0)
small_pipeline = [dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel', resize=True), dict(type='PackSegInputs')]
phase2 = dict(
    weights='{phase1}',
    overrides=dict(
        model=dict(loss_weights=dict(stuff=0.01, ins=0.01)),
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.005))),
        train_dataloader=dict(dataset=dict(target=dict(pipeline=small_pipeline))),
    ),
)

# SIM on MiniCity, from random weights; the second phase goes on from the first, memories and discriminator included, as
# there are no ImageNet weights here. Short runs need smaller memories and larger weights of the alignment.
_base_ = [
    '../_base_/models/deeplabv2_r18-d8_minicity.py',
    '../_base_/datasets/minicity.py',
    '../_base_/schedules/minicity_adversarial.py',
]
runner_type = 'StagedRunner'
model = dict(
    type='SIM',
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19, base_channels=16),
    prototypes=10,
    loss_weights=dict(adv_main=0.1, stuff=0.1, ins=0.1),
)
stages = ['phase1', 'label', 'phase2']
phase1 = dict(type='TrainStage')
label = dict(
    type='LabelStage', weights='{phase1}', strategy=dict(type='MedianCap', cap=0.9), at='input_soft', batch_size=4
)
labelled_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
phase2 = dict(
    type='TrainStage',
    weights='{phase1}',
    overrides=dict(
        model=dict(loss_weights=dict(stuff=0.01, ins=0.01)),
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.01))),
        train_dataloader=dict(
            dataset=dict(
                pseudo_labels=True,
                target=dict(_delete_=True, type='PseudoLabelDataset', labels='{label}', pipeline=labelled_pipeline),
            )
        ),
    ),
)

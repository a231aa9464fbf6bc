# SIM on GTA5 as it is: "much lower" than the paper's figure, as its authors say (issue 1), which is with translated images.
_base_ = [
    '../_base_/models/deeplabv2_r101-d8_2branch_single.py', '../_base_/datasets/gta2city.py', '../_base_/schedules/sim.py'
]
runner_type = 'StagedRunner'
model = dict(
    type='SIM',
    discriminator=dict(type='FCDiscriminatorHead', in_channels=19),
    loss_weights=dict(seg_main=1.0, adv_main=0.001, stuff=0.01, ins=0.01))
labelled_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
phase2 = dict(overrides=dict(train_dataloader=dict(dataset=dict(target=dict(pipeline=labelled_pipeline)))))

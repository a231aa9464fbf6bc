# IntraDA on MiniCity, whose images are not resized. There are no ImageNet weights here, so the last training starts
# from the weights of the first.
_base_ = ['../advent/minicity.py', '../_base_/stages/intrada.py']
runner_type = 'StagedRunner'
splits = dict(
    source=dict(pipeline=[dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), dict(type='PackSegInputs')]),
    target=dict(pipeline={{_base_.target_pipeline}}),
)
rank = dict(batch_size=4, num_workers=0)
label = dict(batch_size=4, num_workers=0)
intra = dict(weights='{inter}', overrides=dict(train_dataloader=dict(dataset=splits)))

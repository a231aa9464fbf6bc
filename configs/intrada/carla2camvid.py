# IntraDA with half of the budget for each training; the second starts from the weights of the first.
_base_ = ['../advent/carla2camvid.py', '../_base_/stages/intrada.py']
runner_type = 'StagedRunner'
inter = dict(overrides=_base_.half)
rank = dict(batch_size=4, num_workers=0)
label = dict(batch_size=4, num_workers=0, at='image')
splits = dict(
    source=dict(metainfo=_base_.metainfo, pipeline=_base_.pseudo_pipeline),
    target=dict(metainfo=_base_.metainfo, pipeline=_base_.target_pipeline),
)
intra = dict(
    weights='{inter}',
    overrides=dict(
        _base_.half,
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=2e-4))),
        # The source is pseudo-labelled here, so its rare classes are not known: pairs are drawn uniformly.
        train_dataloader=dict(sampler=dict(_replace_=True, type='DomainPairSampler'), dataset=splits),
    ),
)

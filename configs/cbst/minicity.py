# CBST on MiniCity: AdaBN training, then one round of labelling and training. As in the paper, batch-norm statistics are
# frozen in the round, here at those of both domains.
_base_ = '../adabn/minicity.py'
runner_type = 'StagedRunner'
root = '{{$MINICITY_ROOT:data/minicity}}'
crop = dict(
    type='SmallClassCrop',
    size=64,
    label_stride=1,
    scale_range=(0.7, 1.3),
    origin_size=128,
    probability=0.8,
    threshold=0.001,
    number=3,
    manifest='{label}',
)
mix = dict(
    _delete_=True,
    type='DomainMixDataset',
    source=dict(
        type='GTA5Dataset',
        data_root=root + '/source',
        pipeline=[dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), crop, dict(type='PackSegInputs')],
    ),
    target=dict(
        type='PseudoLabelDataset',
        labels='{label}',
        pipeline=[dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), crop, dict(type='PackSegInputs')],
    ),
)
stages = ['source', 'rounds']
source = dict(type='TrainStage')
rounds = dict(
    type='CBSTRounds',
    weights='{source}',
    num_rounds=1,
    epochs_per_round=4,
    target_portion=dict(init=0.2, step=0.05, max=0.5),
    source_portion=dict(init=1.0, step=0.0, max=1.0),
    label=dict(strategy=dict(type='ClassBalanced'), batch_size=4),
    train=dict(
        model=dict(type='SelfTraining', freeze_bn_statistics=True),
        optim_wrapper=dict(segmentor=dict(optimizer=dict(lr=0.01))),
        param_scheduler=[dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, by_epoch=False)],
        train_dataloader=dict(
            sampler=dict(_delete_=True, type='DomainMixSampler'), collate_fn=dict(type='mixed_collate'), dataset=mix
        ),
    ),
)

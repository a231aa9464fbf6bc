# The rounds of CBST (Zou et al., ECCV 2018) on ResNet-38, around the config of their source training.
stages = ['source', 'rounds']
source = dict(type='TrainStage')
# Crops of both domains show small classes. The manifest of the round's labelling says which classes are small.
crop = dict(
    type='SmallClassCrop',
    origin_size=2048,
    max_shape=(1024, 2048),
    probability=0.8,
    threshold=0.001,
    manifest='{label}',
)
rounds = dict(
    type='CBSTRounds',
    weights='{source}',  # or the file of your own source model, with stages = ['rounds']
    num_rounds=6,
    target_portion=dict(init=0.15, step=0.05, max=0.5),
    source_portion=dict(init=0.03, step=0.0025, max=0.06),
    label=dict(
        strategy=dict(type='ClassBalanced'),
        pipeline=[dict(type='LoadDomainImage'), dict(type='ResizeLongSide', length=1850), dict(type='PackSegInputs')],
        # No flip=True: the segmentor of ResNet-38 already averages with the mirrored image.
        num_workers=4,
    ),
    train=dict(
        model=dict(type='SelfTraining', freeze_bn_statistics=True),
        # Two images on all processes together: on N processes set batch_size=2/N.
        optim_wrapper=dict(accumulative_counts=1, segmentor=dict(optimizer=dict(lr=1e-4))),
        param_scheduler=[],
        train_dataloader=dict(
            batch_size=2,
            sampler=dict(_replace_=True, type='DomainUnionSampler'),
            collate_fn=dict(type='union_collate'),
            dataset=dict(
                type='DomainUnionDataset',
                source=dict(
                    pipeline=[
                        dict(type='LoadDomainImage'),
                        dict(type='LoadDomainAnnotations'),
                        crop,
                        dict(type='PackSegInputs'),
                    ]
                ),
                target=dict(
                    _replace_=True,
                    type='PseudoLabelDataset',
                    labels='{label}',
                    pipeline=[
                        dict(type='LoadDomainImage'),
                        dict(type='LoadPseudoLabel'),
                        crop,
                        dict(type='PackSegInputs'),
                    ],
                ),
            ),
        ),
    ),
)

# CBST, GTA5 to Cityscapes (Zou et al., ECCV 2018) on ResNet-38: source training, then six rounds.
_base_ = ['./gta2city_source.py', '../_base_/schedules/cbst.py']
runner_type = 'StagedRunner'
gta5_root = '{{$GTA5_ROOT:data/gta5}}'
crop = dict(
    type='SmallClassCrop',
    size=500,  # rounded up to 504
    label_stride=8,
    scale_range=(0.7, 1.3),
    origin_size=2048,
    max_shape=(1024, 2048),
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
        data_root=gta5_root,
        mismatched='skip',
        pipeline=[dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), crop, dict(type='PackSegInputs')],
    ),
    target=dict(
        type='PseudoLabelDataset',
        labels='{label}',
        pipeline=[dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), crop, dict(type='PackSegInputs')],
    ),
)
rounds = dict(train=dict(train_dataloader=dict(dataset=mix)))
test_evaluator = dict(
    paper=dict(
        name='CBST, ResNet-38 (Zou et al. 2018)',
        per_class=[
            86.8,
            46.7,
            76.9,
            26.3,
            24.8,
            42.0,
            46.0,
            38.6,
            80.7,
            15.7,
            48.0,
            57.3,
            27.9,
            78.2,
            24.5,
            49.6,
            17.7,
            25.5,
            45.1,
        ],
        mIoU=45.2,
    )
)

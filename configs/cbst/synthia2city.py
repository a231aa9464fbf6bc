# CBST, SYNTHIA to Cityscapes, 16 classes, on ResNet-38; see gta2city.py.
_base_ = ['./synthia2city_source.py', '../_base_/schedules/cbst.py']
runner_type = 'StagedRunner'
synthia_root = '{{$SYNTHIA_ROOT:data/synthia}}'
mining = dict(
    size=500, label_stride=8, scale_range=(0.7, 1.3), probability=0.8, threshold=0.001, number=3, manifest='{label}'
)
source_crop = dict(type='SmallClassCrop', origin_size=1280, max_shape=(760, 1280), **mining)
target_crop = dict(type='SmallClassCrop', origin_size=2048, max_shape=(1024, 2048), **mining)
mix = dict(
    _delete_=True,
    type='DomainMixDataset',
    source=dict(
        type='SYNTHIADataset',
        data_root=synthia_root,
        metainfo={{_base_.metainfo}},
        pipeline=[
            dict(type='LoadDomainImage'),
            dict(type='LoadDomainAnnotations'),
            source_crop,
            dict(type='PackSegInputs'),
        ],
    ),
    target=dict(
        type='PseudoLabelDataset',
        labels='{label}',
        metainfo={{_base_.metainfo}},
        pipeline=[dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), target_crop, dict(type='PackSegInputs')],
    ),
)
rounds = dict(
    target_portion=dict(init=0.2), source_portion=dict(init=0.02), train=dict(train_dataloader=dict(dataset=mix))
)
test_evaluator = dict(
    paper=dict(
        name='CBST, ResNet-38 (Zou et al. 2018)',
        per_class=[53.6, 23.7, 75.0, 12.5, 0.3, 36.4, 23.5, 26.3, 84.8, 74.7, 67.2, 17.5, 84.5, 28.4, 15.2, 55.8],
        mIoU16=42.5,
        mIoU13=48.5,
    )
)

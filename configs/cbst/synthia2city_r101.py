# CBST, SYNTHIA to Cityscapes, 16 classes, on DeepLabV2-ResNet-101; see gta2city_r101.py.
_base_ = ['../source_only/synthia2city.py', '../_base_/schedules/cbst_r101.py']
runner_type = 'StagedRunner'
# One level; batch-norm statistics stay those of ImageNet in the whole pipeline.
model = dict(segmentor=dict(backbone=dict(norm_eval=True), auxiliary_head=None))
synthia_root = '{{$SYNTHIA_ROOT:data/synthia}}'
mining = dict(
    size=500, label_stride=1, scale_range=(0.7, 1.3), probability=0.8, threshold=0.001, number=3, manifest='{label}'
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
# Source training on crops of the same scales, and evaluation at the scale that the network knows.
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='SmallClassCrop', size=500, label_stride=1, scale_range=(0.7, 1.3), origin_size=1280, probability=0.0),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeLongSide', length=2048),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(dataset=dict(source=dict(pipeline=source_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

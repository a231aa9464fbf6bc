# CBST, GTA5 to Cityscapes (Zou et al., ECCV 2018) on DeepLabV2-ResNet-101: source-only training, then six rounds.
_base_ = ['../source_only/gta2city.py', '../_base_/schedules/cbst_r101.py']
runner_type = 'StagedRunner'
# One level; batch-norm statistics stay those of ImageNet in the whole pipeline.
model = dict(segmentor=dict(backbone=dict(norm_eval=True), auxiliary_head=None))
gta5_root = '{{$GTA5_ROOT:data/gta5}}'
crop = dict(
    type='SmallClassCrop',
    size=500,  # rounded up to 504
    label_stride=1,  # logits are upsampled; ResNet-38 is trained at stride 8
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
# Source training on crops of the same scales, and evaluation at the scale that the network knows.
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='SmallClassCrop', size=500, label_stride=1, scale_range=(0.7, 1.3), origin_size=1914, probability=0.0),
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

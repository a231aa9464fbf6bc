# Source training of CBST on ResNet-38: crops of GTA5 at random scales, labels sampled at the network's stride.
_base_ = ['../_base_/models/resnet38-a1-d8.py', '../_base_/datasets/gta2city.py', '../_base_/schedules/cbst_source.py']
model = dict(type='SourceOnly')
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='SmallClassCrop', size=500, label_stride=8, scale_range=(0.7, 1.3), origin_size=1914, probability=0.0),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeLongSide', length=2048),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(source=dict(pipeline=source_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
test_evaluator = dict(
    paper=dict(
        name='Source, ResNet-38 (Zou et al. 2018)',
        per_class=[
            70.0,
            23.7,
            67.8,
            15.4,
            18.1,
            40.2,
            41.9,
            25.3,
            78.8,
            11.7,
            31.4,
            62.9,
            29.8,
            60.1,
            21.5,
            26.8,
            7.7,
            28.1,
            12.0,
        ],
        mIoU=35.4,
    )
)

# Source training of CBST on ResNet-38, SYNTHIA, 16 classes: 50 epochs in batches of 16.
_base_ = [
    '../_base_/models/resnet38-a1-d8.py',
    '../_base_/datasets/synthia2city.py',
    '../_base_/schedules/cbst_source.py',
]
model = dict(type='SourceOnly', segmentor=dict(decode_head=dict(num_classes=16)))
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='SmallClassCrop', size=500, label_stride=8, scale_range=(0.7, 1.3), origin_size=1280, probability=0.0),
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
train_cfg = dict(max_iters=117400, val_interval=23480)
test_evaluator = dict(
    paper=dict(
        name='Source, ResNet-38 (Zou et al. 2018)',
        per_class=[32.6, 21.5, 46.5, 4.8, 0.1, 26.5, 14.8, 13.1, 70.8, 60.3, 56.6, 3.5, 74.1, 20.4, 8.9, 13.1],
        mIoU16=29.2,
        mIoU13=33.6,
    )
)

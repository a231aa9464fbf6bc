# SYNTHIA-RAND-CITYSCAPES (labelled, 1280x760) to Cityscapes, the 16 classes that both have.
_base_ = './gta2city.py'
synthia_root = '{{$SYNTHIA_ROOT:data/synthia}}'
metainfo = dict(
    classes=(
        'road',
        'sidewalk',
        'building',
        'wall',
        'fence',
        'pole',
        'traffic light',
        'traffic sign',
        'vegetation',
        'sky',
        'person',
        'rider',
        'car',
        'bus',
        'motorcycle',
        'bicycle',
    )
)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='Resize', scale=(1280, 760), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        source=dict(
            _delete_=True, type='SYNTHIADataset', data_root=synthia_root, metainfo=metainfo, pipeline=source_pipeline
        ),
        target=dict(metainfo=metainfo),
    )
)
val_dataloader = dict(dataset=dict(metainfo=metainfo))
test_dataloader = val_dataloader
val_evaluator = dict(protocols=('mIoU16', 'mIoU13'))
test_evaluator = val_evaluator

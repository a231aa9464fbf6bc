# CARLA renders to CamVid photographs (the folder "synth2camvid"): a small real pair, 480x360, here at 192x144 so that a
# CPU will do. Labels are Cityscapes train ids; both domains share 10 classes. Lists of "image label" pairs, relative to
# the root.
import os

root = os.environ.get('SYNTH2CAMVID_ROOT', 'data/synth2camvid')
metainfo = dict(
    classes=('road', 'sidewalk', 'building', 'fence', 'pole', 'traffic sign', 'vegetation', 'sky', 'person', 'car')
)
resize = dict(type='Resize', scale=(192, 144), keep_ratio=False, backend='pillow', interpolation='bicubic')  # (W, H)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    resize,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
target_pipeline = [dict(type='LoadDomainImage'), resize, dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # the name that mmseg's inferencer looks for
    resize,
    dict(type='LoadDomainAnnotations', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DomainPairSampler'),
    dataset=dict(
        type='DomainPairDataset',
        source=dict(
            type='SegmentationListDataset',
            data_root=root,
            ann_file='lists/source_all.txt',
            metainfo=metainfo,
            pipeline=source_pipeline,
        ),
        target=dict(
            type='SegmentationListDataset',
            data_root=root,
            ann_file='lists/target_train_unlabelled.txt',
            metainfo=metainfo,
            use_labels=False,
            pipeline=target_pipeline,
        ),
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SegmentationListDataset',
        data_root=root,
        ann_file='lists/target_val_labelled.txt',
        metainfo=metainfo,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = {
    **val_dataloader,
    'dataset': {**val_dataloader['dataset'], 'ann_file': 'lists/target_test_labelled.txt'},
}
val_evaluator = dict(type='DomainIoUMetric')
test_evaluator = val_evaluator

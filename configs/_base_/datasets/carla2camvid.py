# CARLA renders to CamVid photographs (the folder "synth2camvid"): a small real pair of 480x360 pixels. Labels are
# Cityscapes train ids; both domains share 10 classes. Lists of "image label" pairs, relative to the root.
#
# The source is one drive through one town, in which signs and persons are a thousandth of the pixels and far away. So
# rare classes are drawn first, images are enlarged up to three times, crops show the drawn class, and colours change.
# All methods read the source in this way, also source-only. The bonnet, the lowest sixth of its images, has no labels.
import os

root = os.environ.get('SYNTH2CAMVID_ROOT', 'data/synth2camvid')
metainfo = dict(
    classes=('road', 'sidewalk', 'building', 'fence', 'pole', 'traffic sign', 'vegetation', 'sky', 'person', 'car')
)
window = dict(type='RandomClassCrop', size=(144, 192))  # (H, W)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='RandomScale', range=(1.0, 3.0)),
    dict(window, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.1),
    dict(type='PackSegInputs'),
]
target_pipeline = [dict(type='LoadDomainImage'), window, dict(type='RandomFlip', prob=0.5), dict(type='PackSegInputs')]
pseudo_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    dict(type='RandomScale', range=(1.0, 1.5)),
    window,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(type='LoadDomainAnnotations', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(
        type='DomainPairSampler',
        source_policy=dict(type='RareClassOrder', temperature=0.01, min_pixels=300, min_crop_ratio=4.0),
    ),
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
# Target statistics from a sample in one batch (3 GB). One pass over all 367 images for each layer would take an hour.
target_statistics = dict(sample=48)

# GTA5 (labelled, 1280x720) to Cityscapes (unlabelled, 1024x512). Pillow's antialiased bicubic is the papers' resize.
# The data is in the folders below, or in those of the environment variables.
import os

gta5_root, city_root = os.environ.get('GTA5_ROOT', 'data/gta5'), os.environ.get('CITYSCAPES_ROOT', 'data/cityscapes')
source_size, target_size = (1280, 720), (1024, 512)  # (W, H)
resize = dict(type='Resize', keep_ratio=False, backend='pillow', interpolation='bicubic')
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(resize, scale=source_size),
    dict(type='PackSegInputs'),
]
target_pipeline = [dict(type='LoadDomainImage'), dict(resize, scale=target_size), dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(resize, scale=target_size),
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DomainPairSampler'),
    dataset=dict(
        type='DomainPairDataset',
        # In a few of the released pairs of GTA5, image and label differ in size. They are left out and counted in the
        # log.
        source=dict(type='GTA5Dataset', data_root=gta5_root, mismatched='skip', pipeline=source_pipeline),
        target=dict(
            type='CityscapesDataset',
            data_root=city_root,
            data_prefix=dict(img_path='leftImg8bit/train'),
            pipeline=target_pipeline,
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CityscapesDataset',
        data_root=city_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        seg_map_suffix='_gtFine_labelIds.png',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DomainIoUMetric')
test_evaluator = val_evaluator

# MiniCity: a procedural pair that `python tools/minicity.py` writes, in the layouts of GTA5 and Cityscapes.
import os

root = os.environ.get('MINICITY_ROOT', 'data/minicity')
source_pipeline = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), dict(type='PackSegInputs')]
target_pipeline = [dict(type='LoadDomainImage'), dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(type='LoadDomainAnnotations', table='cityscapes', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DomainPairSampler'),
    dataset=dict(
        type='DomainPairDataset',
        source=dict(type='GTA5Dataset', data_root=root + '/source', pipeline=source_pipeline),
        target=dict(
            type='CityscapesDataset',
            data_root=root + '/target',
            data_prefix=dict(img_path='leftImg8bit/train'),
            pipeline=target_pipeline,
        ),
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CityscapesDataset',
        data_root=root + '/target',
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        seg_map_suffix='_gtFine_labelIds.png',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DomainIoUMetric')
test_evaluator = val_evaluator

# LoveDA: one area (labelled) to the other (unlabelled), here rural to urban; urban to rural swaps `area`. As in the
# benchmark of its authors, the target images are those of Val, without their labels. So figures on Val are measured on
# images that the training has used. Test is for their server. Crops of 512x512, mirrored.
import os

root = os.environ.get('LOVEDA_ROOT', 'data/loveda')
crop = dict(type='RandomCrop', crop_size=(512, 512))  # (H, W)
flip = dict(type='RandomFlip', prob=0.5)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    crop,
    flip,
    dict(type='PackSegInputs'),
]
target_pipeline = [dict(type='LoadDomainImage'), crop, flip, dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(type='LoadDomainAnnotations', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DomainPairSampler'),
    dataset=dict(
        type='DomainPairDataset',
        source=dict(type='RawLoveDADataset', data_root=root, area='Rural', pipeline=source_pipeline),
        target=dict(
            type='RawLoveDADataset',
            data_root=root,
            area='Urban',
            split='val',
            use_labels=False,
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
        type='RawLoveDADataset', data_root=root, area='Urban', split='val', test_mode=True, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='DomainIoUMetric')
test_evaluator = val_evaluator

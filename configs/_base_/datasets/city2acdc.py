# Cityscapes (labelled, 1024x512) to fog, night, rain and snow of ACDC (unlabelled, 960x540), as downloaded.
# `conditions` of the target, the validation and the test data selects some of these four.
import os

_base_ = './city2city.py'
acdc_root = os.environ.get('ACDC_ROOT', 'data/acdc')
target_size = (960, 540)  # (W, H)
target_pipeline = [dict(type='LoadDomainImage'), dict(_base_.resize, scale=target_size), dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(_base_.resize, scale=target_size),
    dict(type='LoadDomainAnnotations', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        target=dict(
            _delete_=True,
            type='ACDCDataset',
            data_root=acdc_root,
            split='train',
            use_labels=False,
            pipeline=target_pipeline,
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True, type='ACDCDataset', data_root=acdc_root, split='val', test_mode=True, pipeline=test_pipeline
    )
)
test_dataloader = val_dataloader

# SYNTHIA-RAND-CITYSCAPES (labelled, 1280x760) to Cityscapes, the 16 classes that both have.
_base_ = './gta2city.py'
import os

from mmuda.datasets.classes import SYNTHIA16  # below _base_, from which mmengine detects the config style

synthia_root = os.environ.get('SYNTHIA_ROOT', 'data/synthia')
metainfo = dict(classes=SYNTHIA16)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(_base_.resize, scale=(1280, 760)),
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

# Synscapes (labelled) to Cityscapes. Its frames are 1440x720 in the download, so 1280x640 keeps their shape. The size
# that the authors of AdaptSegNet used is not known; this one is our choice.
_base_ = './gta2city.py'
import os

synscapes_root = os.environ.get('SYNSCAPES_ROOT', 'data/synscapes')
source_size = (1280, 640)  # (W, H)
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(_base_.resize, scale=source_size),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        source=dict(_delete_=True, type='SynscapesDataset', data_root=synscapes_root, pipeline=source_pipeline)
    )
)

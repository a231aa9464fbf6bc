# UrbanSyn (labelled, 2048x1024 reduced to 1024x512) to Cityscapes.
_base_ = './gta2city.py'
import os

urbansyn_root = os.environ.get('URBANSYN_ROOT', 'data/urbansyn')
load, label, resize, pack = _base_.source_pipeline
source_pipeline = [load, label, dict(resize, scale=(1024, 512)), pack]
train_dataloader = dict(
    dataset=dict(source=dict(_delete_=True, type='UrbanSynDataset', data_root=urbansyn_root, pipeline=source_pipeline))
)

# UrbanSyn, reduced to 1024x512, to Cityscapes; the rest is as in gta2city_dacs.py.
_base_ = './gta2city_dacs.py'
import os

urbansyn_root = os.environ.get('URBANSYN_ROOT', 'data/urbansyn')
load, label, resize, *steps = _base_.source_pipeline
source_pipeline = [load, label, dict(resize, scale=(1024, 512)), *steps]
train_dataloader = dict(
    dataset=dict(source=dict(_delete_=True, type='UrbanSynDataset', data_root=urbansyn_root, pipeline=source_pipeline))
)

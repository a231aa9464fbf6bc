# GTA5 (1280x720) and SYNTHIA-RAND-CITYSCAPES (1280x760) together, labelled, to Cityscapes, with 19 classes, of which
# SYNTHIA has 16. A source image is drawn from the union of both, so about three in four are of GTA5. Any number of data
# sets with one class list can be joined in this way.
_base_ = './gta2city.py'
import os

synthia_root = os.environ.get('SYNTHIA_ROOT', 'data/synthia')
load, label, resize, *steps = _base_.source_pipeline
synthia_pipeline = [load, label, dict(resize, scale=(1280, 760)), *steps]
gta5 = dict(_base_.train_dataloader.dataset.source, pipeline=_base_.source_pipeline)
synthia = dict(type='SYNTHIADataset', data_root=synthia_root, pipeline=synthia_pipeline)
train_dataloader = dict(dataset=dict(source=dict(_delete_=True, type='ConcatDataset', datasets=[gta5, synthia])))

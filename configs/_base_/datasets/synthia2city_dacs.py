# SYNTHIA-RAND-CITYSCAPES at its own size of 1280x760 to Cityscapes; the rest is as in gta2city_dacs.py. All 19 classes
# are trained, of which SYNTHIA has 16; these are evaluated.
_base_ = './gta2city_dacs.py'
import os

synthia_root = os.environ.get('SYNTHIA_ROOT', 'data/synthia')
load, label, resize, *steps = _base_.source_pipeline
source_pipeline = [load, label, dict(resize, scale=(1280, 760)), *steps]
train_dataloader = dict(
    dataset=dict(source=dict(_delete_=True, type='SYNTHIADataset', data_root=synthia_root, pipeline=source_pipeline))
)
val_evaluator = dict(protocols=('mIoU16', 'mIoU13'))
test_evaluator = val_evaluator

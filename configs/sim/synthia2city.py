# SIM, SYNTHIA to Cityscapes. As in the released code the network has 19 classes, of which three never occur in the
# source. No recipe is documented: settings are those of GTA5, including images of 1280x720. The authors used translated
# images, which can be put into SYNTHIA_ROOT/RGB.
_base_ = './gta2city_untranslated.py'
import os

synthia_root = os.environ.get('SYNTHIA_ROOT', 'data/synthia')
source_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadDomainAnnotations'),
    dict(type='Resize', scale=(1280, 720), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(source=dict(_delete_=True, type='SYNTHIADataset', data_root=synthia_root, pipeline=source_pipeline))
)
val_evaluator = dict(protocols=('mIoU16', 'mIoU13'))
test_evaluator = dict(protocols=('mIoU16', 'mIoU13'))

# ISPRS Potsdam (labelled, 5 cm) to Vaihingen (unlabelled, 9 cm), as downloaded: random windows of 512x512, mirrored
# horizontally and vertically. Tests predict whole tiles by sliding windows. The tiles that mmseg's converters cut can
# be read, too. Potsdam's images are those of 3_Ortho_IRRG.zip, because Vaihingen has near infrared, red and green.
# Pixels in other colours than those of the six classes are ignored, as in mmseg's converters. All six classes are
# trained; mIoU5 is the mean without clutter.
import os

potsdam_root = os.environ.get('POTSDAM_ROOT', 'data/potsdam')
vaihingen_root = os.environ.get('VAIHINGEN_ROOT', 'data/vaihingen')
flip = dict(type='RandomFlip', prob=[0.25, 0.25], direction=['horizontal', 'vertical'])
window = dict(type='LoadDomainWindow', size=(512, 512))
labels = dict(type='LoadDomainAnnotations', unknown=255)
source_pipeline = [window, labels, flip, dict(type='PackSegInputs')]
target_pipeline = [window, flip, dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # mmseg's inferencer needs this name
    dict(type='LoadDomainAnnotations', unknown=255, required=False),
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
        source=dict(type='RawPotsdamDataset', data_root=potsdam_root, bands='IRRG', pipeline=source_pipeline),
        target=dict(type='RawVaihingenDataset', data_root=vaihingen_root, use_labels=False, pipeline=target_pipeline),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RawVaihingenDataset', data_root=vaihingen_root, split='val', test_mode=True, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='DomainIoUMetric', protocols=dict(mIoU5=('impervious_surface', 'building', 'low_vegetation', 'tree', 'car'))
)
test_evaluator = val_evaluator

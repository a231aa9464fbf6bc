# DACS with masked image consistency as the released code of MIC trains it: the teacher's update, the means of the
# losses, the optimizer and the crops are those of DAFormer. But images are drawn uniformly, and no border is excluded
# from pseudo labels.
_base_ = [
    '../../../configs/_base_/models/deeplabv2_r101v1c-d8_2branch.py',
    '../../../configs/_base_/datasets/gta2city_daformer.py',
    '../../../configs/_base_/schedules/adamw_40k_deeplabv2.py',
]
custom_imports = dict(imports=['mmuda', 'projects.mic'], allow_failed_imports=False)
model = dict(
    type='MICDACS',
    teacher=dict(decay=0.99, dropout=False),
    teacher_update='before_forward',
    classes_of='batch',
    source_mean='all',
    augmentation=dict(strength=0.2),
    masked=dict(images='target', block=32, ratio=0.7),
)
load, _, *steps, pack = _base_.target_pipeline
target_pipeline = [load, *steps, dict(type='PackSegInputs')]
train_dataloader = dict(sampler=dict(source_policy=None), dataset=dict(target=dict(pipeline=target_pipeline)))

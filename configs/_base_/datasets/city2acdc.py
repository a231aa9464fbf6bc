# Cityscapes (labelled, 1024x512) to fog, night, rain and snow of ACDC (unlabelled, 960x540). Files of ACDC are named as
# those of Dark Zurich, which mmseg reads. They are looked for by split; in the folder of the download, link them once:
#     for s in train val; do for c in fog night rain snow; do
#       mkdir -p rgb_anon/$s gt/$s; ln -s ../$c/$s rgb_anon/$s/$c; ln -s ../$c/$s gt/$s/$c; done; done
import os

_base_ = './city2city.py'
acdc_root = os.environ.get('ACDC_ROOT', 'data/acdc')
target_size = (960, 540)  # (W, H)
target_pipeline = [dict(type='LoadDomainImage'), dict(_base_.resize, scale=target_size), dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),  # the name that mmseg's inferencer looks for
    dict(_base_.resize, scale=target_size),
    dict(type='LoadDomainAnnotations', table='train_ids', required=False),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    dataset=dict(
        target=dict(
            type='DarkZurichDataset',
            data_root=acdc_root,
            data_prefix=dict(img_path='rgb_anon/train'),
            pipeline=target_pipeline,
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        type='DarkZurichDataset',
        data_root=acdc_root,
        data_prefix=dict(img_path='rgb_anon/val', seg_map_path='gt/val'),
        seg_map_suffix='_gt_labelTrainIds.png',
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader

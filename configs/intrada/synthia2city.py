# IntraDA, SYNTHIA to Cityscapes: as GTA5 to Cityscapes, with 16 classes.
_base_ = '../advent/synthia2city.py'
runner_type = 'StagedRunner'
size = (1024, 512)  # (W, H) of both splits
easy_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='Resize', scale=size, keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
splits = dict(
    source=dict(
        _delete_=True,
        type='PseudoLabelDataset',
        labels='{label}',
        metainfo={{_base_.metainfo}},
        pipeline=easy_pipeline),
    target=dict(
        _delete_=True,
        type='SegmentationListDataset',
        ann_file='{rank}/hard.txt',
        use_labels=False,
        metainfo={{_base_.metainfo}},
        pipeline={{_base_.target_pipeline}}))
stages = ['inter', 'rank', 'label', 'intra']
inter = dict(type='TrainStage')
rank = dict(type='RankStage', weights='inter', easy=0.67, normalize=False, at='input', num_workers=4)
label = dict(
    type='LabelStage', weights='inter', strategy=dict(type='Argmax'), images='{rank}/easy.txt', at='input', num_workers=4)
intra = dict(type='TrainStage', overrides=dict(train_dataloader=dict(dataset=splits)))
test_evaluator = dict(
    paper=dict(
        _delete_=True,
        name='IntraDA (Pan et al. 2020)',
        per_class=[84.3, 37.7, 79.5, 5.3, 0.4, 24.9, 9.2, 8.4, 80.0, 84.1, 57.2, 23.0, 78.0, 38.1, 20.3, 36.5],
        mIoU16=41.7,
        mIoU13=48.9))

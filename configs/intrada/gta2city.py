# IntraDA, GTA5 to Cityscapes (Pan et al., CVPR 2020): AdvEnt, then the target's easy images, with pseudo labels, as source
# and its hard ones as target.
_base_ = '../advent/gta2city.py'
runner_type = 'StagedRunner'
size = (1024, 512)  # (W, H) of both splits
easy_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='Resize', scale=size, keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
splits = dict(
    source=dict(_delete_=True, type='PseudoLabelDataset', labels='{label}', pipeline=easy_pipeline),
    target=dict(
        _delete_=True,
        type='SegmentationListDataset',
        ann_file='{rank}/hard.txt',
        use_labels=False,
        pipeline={{_base_.target_pipeline}}))
stages = ['inter', 'rank', 'label', 'intra']
inter = dict(type='TrainStage')
# normalize=True is the 47.0 model: fewer rare classes in a prediction make an image harder.
rank = dict(type='RankStage', weights='inter', easy=0.67, normalize=False, at='input', num_workers=4)
label = dict(
    type='LabelStage', weights='inter', strategy=dict(type='Argmax'), images='{rank}/easy.txt', at='input', num_workers=4)
# From ImageNet again, not from stage 1: the authors found little difference.
intra = dict(type='TrainStage', overrides=dict(train_dataloader=dict(dataset=splits)))
test_evaluator = dict(
    paper=dict(
        _delete_=True,
        name='IntraDA (Pan et al. 2020)',
        per_class=[90.6, 36.1, 82.6, 29.5, 21.3, 27.6, 31.4, 23.1, 85.2, 39.3, 80.2, 59.3, 29.4, 86.4, 33.6, 53.9, 0.0,
                   32.7, 37.6],
        mIoU=46.3))

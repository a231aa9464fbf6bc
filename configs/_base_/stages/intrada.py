# The stages of IntraDA around the config of its first stage: rank the target images, label the easy ones, adapt from
# these to the hard ones.
split_resize = dict(
    type='Resize', scale=(1024, 512), keep_ratio=False, backend='pillow', interpolation='bicubic'
)  # (W, H)
easy_pipeline = [
    dict(type='LoadDomainImage'),
    split_resize,
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
hard_pipeline = [dict(type='LoadDomainImage'), split_resize, dict(type='PackSegInputs')]
splits = dict(
    source=dict(_replace_=True, type='PseudoLabelDataset', labels='{label}', pipeline=easy_pipeline),
    target=dict(
        _replace_=True,
        type='SegmentationListDataset',
        ann_file='{rank}/hard.txt',
        images_only=True,
        pipeline=hard_pipeline,
    ),
)
stages = ['inter', 'rank', 'label', 'intra']
inter = dict(type='TrainStage')
# Two thirds are easy. rank.normalize=True is the 47.0 model: an image is harder if fewer rare classes are predicted in
# it.
rank = dict(type='RankStage', weights='{inter}', at='input', num_workers=4)
label = dict(
    type='LabelStage',
    weights='{inter}',
    strategy=dict(type='Argmax'),
    images='{rank}/easy.txt',
    at='input',
    num_workers=4,
)
# From the config's own starting weights (ImageNet) again, not from `inter`: the authors found little difference.
intra = dict(type='TrainStage', weights=None, overrides=dict(train_dataloader=dict(dataset=splits)))

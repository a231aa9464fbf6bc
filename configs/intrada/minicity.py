_base_ = '../advent/minicity.py'
runner_type = 'StagedRunner'
easy_pipeline = [dict(type='LoadDomainImage'), dict(type='LoadPseudoLabel'), dict(type='PackSegInputs')]
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
rank = dict(type='RankStage', weights='inter', easy=0.67, normalize=False, batch_size=4)
label = dict(
    type='LabelStage', weights='inter', strategy=dict(type='Argmax'), images='{rank}/easy.txt', batch_size=4)
intra = dict(type='TrainStage', overrides=dict(train_dataloader=dict(dataset=splits)))

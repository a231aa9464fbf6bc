# Two rounds of self-training with labels from the mean of three networks.
labelled_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
stages = ['rounds']
rounds = dict(
    type='BandRounds',
    betas=(0.01, 0.05, 0.09),
    num_rounds=2,
    label=dict(
        band_weights=[0.3333, 0.3333, 0.3334],
        strategy=dict(type='QuantileCap', share=0.66, cap=0.9),
        at='input',
        pipeline=[
            dict(type='LoadDomainImage'),
            dict(type='Resize', scale=(1024, 512), keep_ratio=False, backend='pillow', interpolation='bicubic'),
            dict(type='PackSegInputs'),
        ],
        num_workers=4,
    ),
    train=dict(
        model=dict(pseudo_labels=True),
        train_dataloader=dict(
            dataset=dict(
                pseudo_labels=True,
                target=dict(_replace_=True, type='PseudoLabelDataset', labels='{label}', pipeline=labelled_pipeline),
            )
        ),
    ),
)

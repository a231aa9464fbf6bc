# Both phases of SIM: adaptation, labels for the more confident half of every class, adaptation with these labels.
stages = ['phase1', 'label', 'phase2']
phase1 = dict(type='TrainStage')
# at='input_soft' upsamples probabilities, not logits. Thresholds are medians, at most 0.9.
label = dict(type='LabelStage', weights='{phase1}', strategy=dict(type='MedianCap'), at='input_soft', num_workers=4)
labelled_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
# Phase 2 starts from the starting weights of phase 1 again, with smaller weights of the alignment losses.
phase2 = dict(
    type='TrainStage',
    weights=None,
    overrides=dict(
        model=dict(loss_weights=dict(stuff=0.001, ins=0.001)),
        train_dataloader=dict(
            dataset=dict(
                pseudo_labels=True,
                target=dict(_replace_=True, type='PseudoLabelDataset', labels='{label}', pipeline=labelled_pipeline),
            )
        ),
    ),
)

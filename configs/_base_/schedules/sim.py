# Both phases of SIM: adaptation, a label for the surer half of every class, adaptation with these labels. Batch 1 + 1,
# 200,000 of 250,000 iterations each. Mixed precision saved the originals from listing weights twice: every weight makes
# one step.
_base_ = './poly_250k_adversarial_single.py'
optim_wrapper = dict(segmentor=dict(optimizer=dict(type='SGD'), repeats=None))
train_cfg = dict(max_iters=200000)
stages = ['phase1', 'label', 'phase2']
phase1 = dict(type='TrainStage')
# Probabilities are upsampled, not logits; thresholds are medians, at most 0.9.
label = dict(
    type='LabelStage', weights='{phase1}', strategy=dict(type='MedianCap', cap=0.9), at='input_soft', num_workers=4
)
labelled_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='Resize', scale=(1024, 512), keep_ratio=False, backend='pillow', interpolation='bicubic'),
    dict(type='LoadPseudoLabel', resize=True),
    dict(type='PackSegInputs'),
]
# From the starting weights of phase 1 again, with smaller weights of the alignment.
phase2 = dict(
    type='TrainStage',
    weights=None,
    overrides=dict(
        model=dict(loss_weights=dict(stuff=0.001, ins=0.001)),
        train_dataloader=dict(
            dataset=dict(
                pseudo_labels=True,
                target=dict(_delete_=True, type='PseudoLabelDataset', labels='{label}', pipeline=labelled_pipeline),
            )
        ),
    ),
)

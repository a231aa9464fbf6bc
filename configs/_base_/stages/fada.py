# The stages of FADA after its source training: adversarial learning, a label for every target pixel, self-distillation.
_base_ = './distil.py'
jitter = dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2)
distil_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    jitter,
    dict(type='RandomScale'),
    dict(type='PadCrop', size=(512, 1024)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
stages = ['source', 'adversarial', 'label', 'distil']
source = dict(type='TrainStage')
adversarial = dict(
    type='TrainStage',
    weights='{source}',
    overrides=dict(
        _base_.adaptation,
        model=dict(type='FADA', discriminator=dict(type='PixelDiscriminatorHead', in_channels=2048, num_classes=19)),
        optim_wrapper=dict(
            _base_.adaptation.optim_wrapper, discriminator=dict(optimizer=dict(type='Adam', lr=1e-4, betas=(0.9, 0.99)))
        ),
    ),
)
label = dict(type='LabelStage', weights='{adversarial}', strategy=dict(type='Argmax'), num_workers=4)
distil = _base_.self_distillation
distil.overrides.train_dataloader.dataset.target.pipeline = distil_pipeline

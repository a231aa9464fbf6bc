# The stages of SDCA after its source training: distributions of the source's classes, contrast with them, pseudo labels
# at median thresholds, training on these alone and without Lovasz.
_base_ = './distil.py'
photometric = [
    dict(type='ColorJitter', brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2),
    dict(type='RandomPillowGrayscale', prob=0.2),
    dict(type='RandomGaussianBlur', sigma=(0.1, 2.0), kernel=3),
]
ssl_pipeline = [
    dict(type='LoadDomainImage'),
    dict(type='LoadPseudoLabel'),
    dict(type='RandomScale'),
    dict(type='PadCrop', size=(512, 1024)),
    dict(type='RandomFlip', prob=0.5),
    *photometric,
    dict(type='PackSegInputs'),
]
# The stages `statistics` and `adapt` share this model: a config that changes it changes both.
sdca = dict(type='SDCA')
stages = ['source', 'statistics', 'adapt', 'label', 'ssl']
source = dict(type='TrainStage', overrides=dict(model=dict(loss_weights=dict(lov_main=0.75))))
statistics = dict(type='StatisticsStage', weights='{source}', overrides=dict(model=sdca), num_workers=4)
adapt = dict(type='TrainStage', weights='{statistics}', overrides=dict(_base_.adaptation, model=sdca))
# Thresholds come from predictions at the size of the network's input; labels have the size of the image.
label = dict(
    type='LabelStage', weights='{adapt}', strategy=dict(type='MedianCap'), thresholds_at='input', num_workers=4
)
ssl = _base_.self_distillation
ssl.overrides.train_dataloader.dataset.target.pipeline = ssl_pipeline

"""Mistakes in configs: a dotted key of a shipped config, the value it gets, and whether that is legal."""

from typing import Any, NamedTuple

NAN = float('nan')
SEG = 'model.segmentor'
OPT = 'optim_wrapper.segmentor'
SOURCE, TARGET = (f'train_dataloader.dataset.{side}' for side in ('source', 'target'))


class Mutation(NamedTuple):
    """One change to a config.

    Attributes:
        base: Folder of the config, whose ``minicity.py`` is changed.
        key: Dotted key that is set.
        value: Its value.
        says: A part of the message; by default the last part of the key.
        at: Key that the finding names; by default the one that is set.
    """

    base: str
    key: str
    value: Any
    says: str = ''
    at: str = ''


def poly(**changes: Any) -> list[dict]:
    """Return a list with one scheduler."""
    return [dict(dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=1001, by_epoch=False), **changes)]


def of(base: str, *entries: tuple) -> list[Mutation]:
    """Return mutations of one config."""
    return [Mutation(base, *entry) for entry in entries]


MISSPELT = of(
    'advent',
    ('param_schedulers', poly(), 'param_scheduler?'),
    ('load_form', 'x.pth', 'load_from'),
    ('resum', True, 'resume'),
    ('optim_wraper', dict(segmentor=dict()), 'optim_wrapper'),
    ('custom_hook', [dict(type='RandomStateHook')], 'custom_hooks'),
    ('modell', dict(), 'did you mean model'),
    ('learning_rate', 0.1, 'nothing reads this key'),
    ('train_cfg.max_iter', 5),
    ('train_cfg.val_intervall', 5),
    ('val_cfg.fp61', True),
    ('model.los_weights', dict(), 'loss_weights'),
    ('model.loss_weights.adv_mian', 1.0, '', 'model'),
    ('model.discriminator.base_channel', 4),
    (f'{SEG}.backbone.deph', 50),
    (f'{SEG}.backbone.norm_cfg.require_grad', False),
    (f'{SEG}.backbone.norm_cfg.ep', 1.0),
    (f'{SEG}.decode_head.dilation', (1, 2)),
    (f'{SEG}.decode_head.loss_decod', dict()),
    (f'{SEG}.test_cfg.mod', 'slide'),
    (f'{SEG}.train_cfgs', dict()),
    (f'{SEG}.auxiliary_hea', dict()),
    ('model.data_preprocessor.men', [1, 2, 3]),
    ('train_dataloader.batchsize', 4),
    ('train_dataloader.num_worker', 4),
    ('val_dataloader.persistent_worker', True),
    (f'{SOURCE}.data_rot', 'x'),
    (f'{SOURCE}.metainfo', dict(clases=('a', 'b')), '', f'{SOURCE}.metainfo.clases'),
    (f'{TARGET}.data_prefix.img_pat', 'x'),
    ('val_dataloader.dataset.data_prefix.seg_path', 'x'),
    (f'{TARGET}.img_sufix', '.jpg'),
    ('train_dataloader.dataset.sed', 3),
    ('train_dataloader.sampler.shufle', False),
    ('default_hooks.checkpoint.intervall', 1),
    ('default_hooks.checkpoint.max_keep_ckpt', 1),
    ('default_hooks.checkpont', dict(interval=1)),
    ('default_hooks.checkpont', dict(type='AdaptationCheckpointHook', interval=1)),
    ('default_hooks.logger.log_metrics', 1),
    (f'{OPT}.optimizer.learning_rate', 1.0),
    (f'{OPT}.clip_grads', dict(max_norm=1)),
    (f'{OPT}.clip_grad', dict(max_nrm=1), '', f'{OPT}.clip_grad.max_nrm'),
    (f'{OPT}.paramwise_cfg.custom_keys.decode_heads', dict(lr_mult=100.0)),
    (
        f'{OPT}.paramwise_cfg.custom_keys.decode_head',
        dict(lr_mul=10.0),
        '',
        f'{OPT}.paramwise_cfg.custom_keys.decode_head.lr_mul',
    ),
    (f'{OPT}.paramwise_cfg.bias_lr_mul', 2.0),
    ('optim_wrapper.segmentr', dict(optimizer=dict(type='SGD', lr=1.0)), '', 'optim_wrapper'),
    ('optim_wrapper.accumulative_count', 2),
    ('param_scheduler', poly(pwr=0.9), 'power?', 'param_scheduler.0.pwr'),
    ('env_cfg.cudnn_benchmarks', False),
    ('env_cfg.mp_cfg.mp_start_methd', 'fork'),
    ('env_cfg.dist_cfg.time_out', 5),
    ('randomness.sed', 7),
    ('val_evaluator.iou_metric', ['mDice']),
    ('log_processor.window', 5),
    ('visualizer.alpa', 0.5),
    (
        f'{SOURCE}.pipeline',
        [dict(type='LoadDomainImage', to_float=True)],
        'to_float32?',
        f'{SOURCE}.pipeline.0.to_float',
    ),
    (f'{SOURCE}.pipeline', [dict(type='LoadDomainImag')], 'LoadDomainImage', f'{SOURCE}.pipeline.0.type'),
    ('model.type', 'ADVENTT'),
    (f'{SEG}.backbone.type', 'ResNetX'),
    ('custom_hooks', [dict(type='RandomStatHook')], 'RandomStateHook', 'custom_hooks.0.type'),
    ('default_scope', 'mmsegg'),
)

SENSELESS = of(
    'advent',
    *(('train_cfg.max_iters', value) for value in (0, -5, '6', None, 6.5)),
    *(('train_cfg.val_interval', value) for value in (0, None)),
    *(('train_dataloader.batch_size', value) for value in (0, -1, '2', None)),
    ('train_dataloader.num_workers', -1),
    ('train_dataloader.persistent_workers', True),
    *(('default_hooks.checkpoint.interval', value) for value in (0, -1, '3', None)),
    ('default_hooks.checkpoint.max_keep_ckpts', 0),
    ('default_hooks.checkpoint', None),
    ('default_hooks.logger.interval', 0),
    *(('default_hooks.runtime_info.interval', value) for value in (0, -1)),
    ('custom_hooks', None),
    *((f'{OPT}.optimizer.lr', value) for value in ('0.02', -1, 0, NAN, None)),
    *((f'{OPT}.optimizer.momentum', value) for value in (2, -0.1, '0.9')),
    (f'{OPT}.optimizer.weight_decay', -1e-4),
    ('optim_wrapper.discriminator.optimizer.betas', (2.0, 0.5)),
    ('optim_wrapper.discriminator', None),
    (f'{OPT}.paramwise_cfg.custom_keys.decode_head.lr_mult', -1.0),
    *(('optim_wrapper.accumulative_counts', value) for value in (0, -1, '2')),
    ('optim_wrapper.precision', 'float8', '', 'optim_wrapper'),
    ('optim_wrapper.loss_scale', '512'),
    (f'{SEG}.backbone.depth', 19, '', 'model'),
    *((f'{SEG}.backbone.base_channels', value) for value in (-8, 0)),
    *((f'{SEG}.decode_head.num_classes', value) for value in (18, 25, -1)),
    (f'{SEG}.decode_head.in_channels', 100),
    (f'{SEG}.decode_head.in_index', 9),
    (f'{SEG}.decode_head.dilations', '1234'),
    (f'{SEG}.test_cfg.mode', 'slid'),
    (f'{SEG}.test_cfg.mode', 'slide', '', f'{SEG}.test_cfg.crop_size'),
    (SEG, None),
    ('model.discriminator', None),
    ('model.discriminator.in_channels', 18),
    *(('model.loss_weights.adv_main', value) for value in ('0.05', None, NAN, -1.0)),
    ('model.loss_weights', None),
    ('model.data_preprocessor.mean', [1.0, 2.0], '', 'model'),
    ('model.data_preprocessor.std', [0.0, 0.0, 0.0]),
    (f'{SOURCE}.data_root', 'nowhere', 'nowhere/images', SOURCE),
    (f'{TARGET}.data_root', 'nowhere', 'nowhere/leftImg8bit', TARGET),
    (f'{SOURCE}.metainfo', dict(classes=('a', 'b')), "['a', 'b']", SOURCE),
    (f'{SOURCE}.metainfo', dict(classes=('road', 'car')), '19 classes', f'{TARGET}.metainfo.classes'),
    (
        'val_dataloader.dataset.metainfo',
        dict(classes=('car', 'road')),
        '2 classes',
        'val_dataloader.dataset.metainfo.classes',
    ),
    (
        'train_dataloader.sampler',
        dict(_delete_=True, type='DefaultSampler', shuffle=True),
        'DefaultSampler',
        'train_dataloader.sampler.type',
    ),
    ('train_dataloader', None),
    ('train_cfg', None),
    *(('train_cfg.dynamic_intervals', value) for value in ([[5, 2]], [(5, 0)], [(8, 1), (5, 2)], 5)),
    (
        'train_cfg',
        dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2),
        'EpochBasedTrainLoop',
        'train_cfg.type',
    ),
    ('val_dataloader', None),
    ('val_evaluator', [None], 'None', 'val_evaluator.0'),
    ('param_scheduler', None),
    ('param_scheduler', poly(end=3), '', 'param_scheduler.0.end'),
    ('param_scheduler', poly(begin=9, end=7), '', 'param_scheduler.0.begin'),
    ('param_scheduler', poly(begin=1000), '', 'param_scheduler.0.begin'),
    ('param_scheduler', [dict(type='PolyLR', power=0.9, begin=0, end=1001)], '', 'param_scheduler.0.by_epoch'),
    ('param_scheduler', [dict(type='PolyLR', power=0.9, by_epoch=False)], '', 'param_scheduler.0.end'),
    *(('randomness.seed', value) for value in ('abc', -1, 1.5)),
    *(('target_statistics', value) for value in (48, dict(sample=1), dict(images=3))),
    *(('compile', value) for value in ('inductor', dict(mod='max-autotune'))),
    ('memory_format', 'nhwc'),
    ('env_cfg.dist_cfg.timeout', -5),
    ('load_from', '..'),
    ('load_from', 5),
    ('work_dir', 5),
)

STAGED = of(
    'intrada',
    ('stages', ['inter', 'labell'], 'labell', 'stages.1'),
    ('stages', []),
    ('stages', 'inter'),
    ('stages', ['inter', 'inter'], 'same name'),
    ('label.weights', 'interr', '', "stage 'label': weights"),
    ('label.weights', '{rank}', "stage 'rank', a RankStage, trains no network", 'stages'),
    ('label.type', 'LabelStag'),
    ('label.strategy.type', 'Argmx'),
    ('label.strategy.portion', 0.2),
    ('label.at', 'imag', 'at is', "stage 'label'"),
    ('label.images', '{rank}/eazy.txt', '', "stage 'label': images"),
    ('label.images', '{rnk}/easy.txt', 'rnk', 'stages'),
    *(('label.batch_size', value) for value in (0, -2)),
    *(('rank.easy', value) for value in (1.5, 0, '0.67')),
    ('rank.nomalize', True),
    ('intra.weights', '/nowhere/x.pth', '', "stage 'intra': weights"),
    ('intra.overrides.train_dataloder', dict(batch_size=7), '', "stage 'intra': overrides.train_dataloder"),
    (
        'intra.overrides.model',
        dict(los_weights=dict(adv_main=3.0)),
        'loss_weights?',
        "stage 'intra': model.los_weights",
    ),
    ('intra.overrides.train_cfg', dict(max_iters=0), '', "stage 'intra': train_cfg.max_iters"),
    ('intra.overrides.train_dataloader.batch_size', 0, '', "stage 'intra': train_dataloader.batch_size"),
    (
        'intra.overrides.val_dataloader',
        dict(dataset=dict(data_root='nowhere')),
        'nowhere',
        "stage 'intra': val_dataloader.dataset",
    ),
) + of(
    'cbst',
    *(('rounds.num_rounds', value) for value in (0, -1, '2')),
    *(('rounds.epochs_per_round', value) for value in (0, -1)),
    ('rounds.target_portion.init', 0, 'target_portion', "stage 'rounds'"),
    ('rounds.target_portion.inti', 0.1, '', "stage 'rounds'"),
    ('rounds.train.optim_wraper', dict(segmentor=dict()), '', "stage 'rounds/0/train': overrides.optim_wraper"),
    ('rounds.train.train_cfg', dict(max_iters=3), '', "stage 'rounds/0/train': train_cfg.max_iters"),
    ('rounds.label', None),
    ('rounds.label.portion', 0.5),
    ('rounds.label.batch_size', 0),
    ('rounds.label.strategy.rate', 0, '', "stage 'rounds/0/label'"),
    *(('rounds.lr_decay', value) for value in ('0.5', -1.0)),
)

LEGAL = of(
    'advent',
    ('train_dataloader.batch_size', 1000),  # slow, but the images of both domains repeat
    ('train_cfg.max_iters', 1e3),
    ('train_cfg.dynamic_intervals', [(5, 2), (8, 1)]),
    ('param_scheduler', []),
    ('param_scheduler', [dict(type='LinearLR', start_factor=0.1, begin=0, end=100, by_epoch=False), *poly(begin=100)]),
    ('param_scheduler', dict(_delete_=True, segmentor=poly(), discriminator=poly())),
    ('param_scheduler', poly(end=3, eta_min=1e-5)),
    ('param_scheduler', [dict(type='CosineAnnealingLR', eta_min_ratio=0.01, begin=0, end=3, by_epoch=False)]),
    ('param_scheduler', [dict(type='PolyLRRatio', eta_min_ratio=0.03, begin=0, end=3, by_epoch=False)]),
    ('param_scheduler', [dict(type='PolyMomentum', begin=0, end=3, by_epoch=False)]),
    ('param_scheduler', poly(end=3, by_epoch=True, convert_to_iter_based=True)),
    ('default_hooks.checkpoint.max_keep_ckpts', -1),
    ('default_hooks.checkpoint', dict(_delete_=True, type='CheckpointHook', interval=-1, by_epoch=False)),
    ('default_hooks.checkpoint', dict(_delete_=True, type='CheckpointHook', interval=1e2, max_keep_ckpts=0)),
    *((f'default_hooks.{name}', None) for name in ('timer', 'label_free', 'progress', 'adversary', 'of_somebody')),
    ('default_hooks.early', dict(type='EarlyStoppingHook', monitor='mIoU', priority='LOW')),
    ('default_hooks.timers', dict(type='EarlyStoppingHook', monitor='mIoU')),
    ('model.loss_weights.adv_main', 0.0),
    (f'{OPT}.paramwise_cfg.custom_keys.decode_head.momentum', 0.5),
    *((f'{OPT}.paramwise_cfg.custom_keys.{name}', dict(decay_mult=0.0)) for name in ('absolute_pos_embed', 'layer9')),
    (f'{OPT}.clip_grad', dict(max_norm=35, norm_type=2)),
    ('val_evaluator', [dict(type='DomainIoUMetric'), dict(type='IoUMetric', prefix='mmseg')]),
    (f'{SEG}.test_cfg', dict(mode='slide', crop_size=(64, 64), stride=(32, 32))),
    (f'{SEG}.pretrained', 'weights.pth'),
    (f'{SEG}.decode_head.dropout_ratio', -1),
    (f'{SOURCE}.pipeline', [dict(type='RandomFlip', prob=[0.3, 0.2], direction=['horizontal', 'vertical'])]),
    ('randomness.seed', None),
)
"""Changes that are no mistakes."""

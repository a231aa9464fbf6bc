"""The numbers of iterations, validations and checkpoints of a training."""

from itertools import product

import pytest
from mmengine.config import Config
from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.utils import calc_dynamic_intervals
from toolbox import CONFIGS

from mmuda.doctor.rows import ERROR, OK, SKIPPED, WARNING
from mmuda.doctor.schedule import Plan, examine_schedules, images_at, plan_of
from mmuda.engine.launch import load_config

LENGTHS = {
    'train_dataloader.dataset.source': 400,
    'train_dataloader.dataset.target': 100,
    'val_dataloader.dataset': 200,
}


def load(method='advent', **options):
    return load_config(CONFIGS / method / 'minicity.py', options)


def rows(cfg) -> dict:
    return {row.item: row for row in examine_schedules(cfg, LENGTHS).rows}


@pytest.mark.parametrize(
    ('options', 'plan'),
    [
        ({}, Plan(1000, 4, 200, 3)),
        ({'train_cfg.val_interval': 300, '+train_cfg.val_begin': 400}, Plan(1000, 3, 200, 3)),
        ({'train_cfg.max_iters': 10, 'train_cfg.val_interval': 100}, Plan(10, 1, 200, 1)),
        ({'train_cfg.max_iters': 10, 'train_cfg.val_interval': 3}, Plan(10, 4, 200, 1)),
        ({'train_cfg.max_iters': 10, 'train_cfg.val_interval': 3, '+train_cfg.val_begin': 11}, Plan(10, 0, 200, 1)),
        (
            {'train_cfg.max_iters': 10, 'train_cfg.val_interval': 4, '+train_cfg.dynamic_intervals': [(7, 2), (9, 1)]},
            Plan(10, 5, 200, 1),  # after iterations 4, 6, 8, 9 and 10
        ),
        ({'train_cfg.max_iters': 1e3}, Plan(1000, 4, 200, 3)),
        ({'default_hooks.checkpoint.save_best': 'mIoU'}, Plan(1000, 4, 200, 4)),
        (
            {'default_hooks.checkpoint.max_keep_ckpts': -1, 'default_hooks.checkpoint.interval': 300},
            Plan(1000, 4, 200, 4),
        ),
        ({'default_hooks.checkpoint.interval': 1000, 'val_dataloader': None}, Plan(1000, 0, 200, 1)),
    ],
)
def test_plans(options, plan):
    assert plan_of(load(**options), LENGTHS) == plan


def test_a_plan_of_epochs():
    loader = dict(batch_size=8, dataset=dict(type='X'))
    cfg = Config(dict(train_cfg=dict(by_epoch=True, max_epochs=3), train_dataloader=loader, val_dataloader=loader))
    lengths = {'train_dataloader.dataset': 20, 'val_dataloader.dataset': 5}
    assert plan_of(cfg, lengths) == Plan(9, 3, 5, 3)
    assert plan_of(cfg, {}).iterations is None


def test_validations_are_counted_as_mmengine_makes_them():
    class Loop(IterBasedTrainLoop):
        def __init__(self, interval, changes):
            self.val_interval = interval
            self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(interval, changes)

        def made(self, steps, begin):
            self._max_iters, self.val_begin, found = steps, begin, 0
            for self._iter in range(1, steps + 1):
                self._decide_current_val_interval()
                found += self._iter >= begin and (self._iter % self.val_interval == 0 or self._iter == steps)
            return found

    for interval, begin, changes in product((1, 3, 5), (1, 4, 8), (None, [(5, 2)], [(2, 4), (3, 1), (9, 7)])):
        cfg = load(**{'train_cfg.max_iters': 11, 'train_cfg.val_interval': interval})
        cfg.train_cfg.update(val_begin=begin, dynamic_intervals=changes)
        assert plan_of(cfg, LENGTHS).validations == Loop(interval, changes).made(11, begin)


def test_an_epoch_of_pairs_is_as_long_as_the_longer_domain():
    cfg = load()
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2.0)
    cfg.train_dataloader.batch_size = 8
    assert plan_of(cfg, LENGTHS).iterations == 2 * 400 / 8 and plan_of(cfg, LENGTHS).validations == 2


def test_the_interval_of_the_loop_is_the_default():
    cfg = load(**{'train_cfg.max_iters': 2500})
    cfg.train_cfg.pop('val_interval')
    assert plan_of(cfg, LENGTHS).validations == 3
    assert 'every 1000' in rows(cfg)['validation'].found


def test_data_sets_inside_of_one_count_together():
    lengths = {'val.datasets.0': 3, 'val.datasets.1': 4, 'valid': 9}
    assert images_at(lengths, 'val') == 7 and images_at(lengths, 'test') == 0


def test_a_schedule_in_words():
    found = rows(load())
    assert found['length'].found.endswith('5.0 passes over source, 20.0 passes over target')
    assert found['validation'].found == '4 times, every 250, and at the end, 200 images each'
    assert found['checkpoints'].found == 'every 250 iterations, the last 2 are kept'
    assert found['learning rate'].found == 'PolyLR, iterations 0 to 1001'
    assert {row.verdict for row in found.values()} == {OK}


@pytest.mark.parametrize(
    ('scheduler', 'key'),
    [
        (dict(type='WarmupPolyLR', warmup=100, begin=0, end=201, by_epoch=False), 'warmup'),
        (dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False), 'end'),
    ],
)
def test_a_long_warm_up_is_a_warning(scheduler, key):
    decay = dict(type='PolyLR', begin=100, end=201, by_epoch=False)
    cfg = load(**{'train_cfg.max_iters': 200, 'param_scheduler': [decay, scheduler]})
    found = rows(cfg)['learning rate']
    assert found.verdict == WARNING and found.found.endswith('; the warm-up takes 100 of 200 iterations')
    assert found.remedy == f'set param_scheduler.1.{key} to about a tenth of the iterations, such as 20'
    cfg.param_scheduler[1][key] = 66
    assert rows(cfg)['learning rate'].verdict == OK
    cfg.param_scheduler[1].update({key: 100, 'start_factor': 2.0} if key == 'end' else {key: 'wrong'})
    assert rows(cfg)['learning rate'].verdict == OK


def test_a_training_that_is_never_validated_or_has_no_length():
    assert rows(load(**{'train_cfg.val_interval': 2000}))['validation'].verdict == OK
    assert rows(load(**{'+train_cfg.val_begin': 2000}))['validation'].verdict == WARNING
    assert rows(load(val_dataloader=None))['validation'].verdict == WARNING
    assert rows(load(**{'default_hooks.checkpoint.interval': -1}))['checkpoints'].verdict == SKIPPED
    cfg = load()
    cfg.train_cfg.pop('max_iters')
    assert rows(cfg)['length'].verdict == ERROR


def test_the_length_of_a_round_follows():
    found = rows(load('cbst'))
    assert found['rounds/0/train: length'].verdict == SKIPPED and found['source: length'].verdict == OK

"""Methods with another number of training iterations."""

import pytest
from toolbox import CONFIGS

from mmuda.comparison import load_methods, set_budget


def loaded(name: str):
    (method,) = load_methods([CONFIGS / f'{name}.py'])
    return method


def test_a_schedule_is_scaled_with_its_training():
    whole = loaded('advent/gta2city')
    assert whole.trainings and whole.without_target_statistics == '', 'computed before the budget changes'
    method = set_budget(whole, 1200)
    cfg = method.cfg
    assert whole.iterations() == 120000 and whole.cfg.param_scheduler[0].end == 250001, (
        'the method itself must not change'
    )
    assert method.trainings == [cfg] and method.name == whole.name
    assert cfg.train_cfg.max_iters == 1200 and method.iterations() == 1200
    assert cfg.param_scheduler[0].end == 2501, 'scaled like 250001 in 120000 iterations'
    assert cfg.train_cfg.val_interval <= 1200 and cfg.default_hooks.checkpoint.interval <= 1200


@pytest.mark.parametrize('name', ['intrada/minicity', 'fada/minicity', 'sdca/minicity', 'sim/minicity'])
def test_stages_share_a_budget(name):
    method = loaded(name)
    before = [training.train_cfg.max_iters for training in method.trainings]
    scaled = set_budget(method, sum(before) // 10)
    after = [training.train_cfg.max_iters for training in scaled.trainings]
    assert after == [length / 10 for length in before] and len(after) > 1
    assert [training.train_cfg.max_iters for training in method.trainings] == before, (
        'the method itself must not change'
    )
    for training in scaled.trainings:
        for scheduler in training.param_scheduler:
            assert scheduler.get('end', 0) <= 2 * training.train_cfg.max_iters


def test_a_warm_up_is_scaled_with_its_schedule():
    (method,) = load_methods([CONFIGS.parent / 'projects/daformer/configs/gta2city.py'])
    before = method.cfg.param_scheduler[0]
    assert (before.type, before.warmup, before.end) == ('WarmupPolyLR', 1500, 40001)
    after = set_budget(method, 1000).cfg.param_scheduler[0]
    assert after.warmup == 38 and after.end == 1001, 'the warm-up must still reach the learning rate'


def test_a_length_in_epochs_is_refused():
    with pytest.raises(ValueError, match='cbst/minicity: a budget of iterations needs .* measured in epochs'):
        set_budget(loaded('cbst/minicity'), 100)


def test_too_little_is_refused():
    with pytest.raises(ValueError, match='intrada/minicity: 1 iterations are too few for 2 trainings'):
        set_budget(loaded('intrada/minicity'), 1)

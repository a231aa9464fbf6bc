"""Methods of another length."""

import pytest
from toolbox import CONFIGS

from mmuda.comparison import load_methods, set_budget


def loaded(name: str):
    (method,) = load_methods([CONFIGS / f'{name}.py'])
    return method


def test_a_schedule_is_scaled_with_its_training():
    method = loaded('advent/gta2city')
    set_budget(method, 1200)
    cfg = method.cfg
    assert cfg.train_cfg.max_iters == 1200 and method.iterations() == 1200
    assert cfg.param_scheduler[0].end == 2501, '250001 of 120000 iterations'
    assert cfg.train_cfg.val_interval <= 1200 and cfg.default_hooks.checkpoint.interval <= 1200


@pytest.mark.parametrize('name', ['intrada/minicity', 'fada/minicity', 'sdca/minicity', 'sim/minicity'])
def test_stages_share_a_budget(name):
    method = loaded(name)
    before = [training.train_cfg.max_iters for training in method.trainings]
    set_budget(method, sum(before) // 10)
    after = [training.train_cfg.max_iters for training in method.trainings]
    assert after == [length / 10 for length in before] and len(after) > 1
    for training in method.trainings:
        for scheduler in training.param_scheduler:
            assert scheduler.get('end', 0) <= 2 * training.train_cfg.max_iters


def test_a_length_in_epochs_is_refused():
    with pytest.raises(ValueError, match='cbst/minicity: a budget of iterations needs .* measured in epochs'):
        set_budget(loaded('cbst/minicity'), 100)


def test_too_little_is_refused():
    with pytest.raises(ValueError, match='intrada/minicity: 1 iterations are too few for 2 trainings'):
        set_budget(loaded('intrada/minicity'), 1)

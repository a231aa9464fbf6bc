"""Schedulers count optimizer steps."""

import pytest
from mmengine.hooks import Hook
from toolbox import tiny_config
from trainings import train


def test_learning_rate_follows_optimizer_steps(minicity, tmp_path):
    rates = []

    class Record(Hook):
        def before_train_iter(self, runner, *args, **kwargs):
            rates.append(runner.optim_wrapper['segmentor'].optimizer.param_groups[0]['lr'])

    cfg = tiny_config(
        'source_only',
        minicity,
        tmp_path,
        iters=6,
        save=6,
        **{'optim_wrapper.accumulative_counts': 2, 'param_scheduler.0.end': 11, 'param_scheduler.0.power': 1.0},
    )
    train(cfg, Record())
    base = rates[0]
    assert rates == pytest.approx([base, base, 0.9 * base, 0.9 * base, 0.8 * base, 0.8 * base])

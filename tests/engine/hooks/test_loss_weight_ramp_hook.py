"""Loss weights that increase during training."""

import pytest
from mmengine.hooks import Hook
from toolbox import tiny_config
from trainings import train


def test_loss_weight_ramp(minicity, tmp_path):
    weights = []

    class Record(Hook):
        priority = 'LOWEST'

        def before_train_iter(self, runner, *args, **kwargs):
            weights.append(runner.model.loss_weights['adv_main'])

    cfg = tiny_config('advent', minicity, tmp_path, **{'model.loss_weights.adv_main': 0.1})
    cfg.custom_hooks.append(dict(type='LossWeightRampHook', name='adv_main', begin=1, end=5))
    train(cfg, Record())
    assert weights == pytest.approx([0, 0, 0.025, 0.05, 0.075, 0.1])
    cfg = tiny_config('advent', minicity, tmp_path / 'other')
    cfg.custom_hooks.append(dict(type='LossWeightRampHook', name='adv', begin=1, end=5))
    with pytest.raises(KeyError, match="no loss weight 'adv'"):
        train(cfg)

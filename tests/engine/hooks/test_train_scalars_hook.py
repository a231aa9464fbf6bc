"""Losses are read at intervals, and a loss that is not finite stops training."""

import pytest
import torch
from mmengine.hooks import Hook
from toolbox import tiny_config
from trainings import train


def test_nan_stops_with_the_name_of_the_loss(minicity, tmp_path):
    class Poison(Hook):
        def before_train_iter(self, runner, *args, **kwargs):
            if runner.iter == 3:
                torch.nn.init.constant_(runner.model.segmentor.decode_head.branches[0].bias, float('nan'))

    with pytest.raises(FloatingPointError, match='loss_seg_main became NaN or infinite .* before iteration 4'):
        train(tiny_config('source_only', minicity, tmp_path), Poison())

"""Losses are read once per interval and logged as means over it; a loss that is not finite stops the training."""

import json

import pytest
import torch
from mmengine.hooks import Hook, LoggerHook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from toolbox import tiny_config
from torch import nn
from trainings import train

from mmuda.engine.hooks import TrainScalarsHook, train_scalars_hook


class Counter(BaseModel):
    """A model whose loss is the number of the iteration."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, number: torch.Tensor, mode: str = 'tensor') -> dict:
        return dict(loss_number=number.sum() + 0 * self.weight.sum())


def trained(folder, interval: int | None, logger: int, iters: int, **processor) -> Runner:
    """Train the counter and return the runner."""
    numbers = [dict(number=torch.tensor(float(i))) for i in range(iters)]
    runner = Runner(
        Counter(),
        str(folder),
        train_dataloader=dict(
            dataset=numbers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
            batch_size=1,
            num_workers=0,
        ),
        train_cfg=dict(by_epoch=False, max_iters=iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        default_hooks=dict(
            runtime_info=TrainScalarsHook(**({} if interval is None else dict(interval=interval))),
            logger=LoggerHook(interval=logger, log_metric_by_epoch=False),
            checkpoint=None,
        ),
        log_processor=dict(by_epoch=False, window_size=1, **processor),
        experiment_name=folder.name,
        default_scope='mmengine',
    )
    runner.train()
    return runner


def logged(folder, interval: int | None, logger: int, iters: int) -> dict[int, float]:
    """Train the counter and return the logged losses by iteration."""
    trained(folder, interval, logger, iters)
    (file,) = folder.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {line['step']: line['loss_number'] for line in lines if 'loss_number' in line}


def test_the_interval_is_that_of_the_logger(tmp_path):
    assert logged(tmp_path, None, logger=4, iters=10) == {4: 1.5, 8: 5.5}


@pytest.mark.parametrize('interval, expected', [(2, {4: 2.5, 8: 6.5}), (8, {8: 3.5})])
def test_an_interval_of_its_own(tmp_path, interval, expected):
    assert logged(tmp_path, interval, logger=4, iters=8) == expected


def test_histories_are_bounded_unless_a_window_is_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(train_scalars_hook, 'HISTORY', 5)
    for name, windows, kept in (
        ('short', [], 5),
        ('long', [dict(data_src='lr', method_name='mean', window_size='global')], 12),
    ):
        hub = trained(tmp_path / name, None, logger=2, iters=12, custom_cfg=windows).message_hub
        assert {len(hub.get_scalar(f'train/{scalar}').data[0]) for scalar in ('time', 'lr')} == {kept}
        assert len(hub.get_scalar('train/loss_number').data[0]) == min(kept, 6)


def test_nan_stops_with_the_name_of_the_loss(minicity, tmp_path):
    class Poison(Hook):
        def before_train_iter(self, runner, *args, **kwargs):
            if runner.iter == 3:
                torch.nn.init.constant_(runner.model.segmentor.decode_head.branches[0].bias, float('nan'))

    with pytest.raises(FloatingPointError, match='loss_seg_main became NaN or infinite in iteration 4'):
        train(tiny_config('source_only', minicity, tmp_path), Poison())

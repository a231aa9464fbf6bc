"""Training with the runner: exact resume, checkpoints, validation that leaves no trace."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from killing import kill_when
from mmengine.hooks import Hook
from toolbox import CONFIGS, tiny_config, tiny_options

from mmuda.checkpoints.loading import latest_checkpoint
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.launch import build_runner

TOOLS = CONFIGS.parent / 'tools'


class Interrupt(Hook):
    """Stops training after an iteration, like a power cut (nothing is cleaned up)."""

    def __init__(self, after: int) -> None:
        self.after = after

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.after:
            raise KeyboardInterrupt


class Dropout(Hook):
    """Draws from every generator in each iteration, as dropout or mixing in a model would."""

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        import random

        import numpy as np

        noise = torch.rand(()).item() + np.random.rand() + random.random()
        with torch.no_grad():
            runner.model.segmentor.decode_head.branches[0].bias.add_(noise)


def train(cfg, *hooks: Hook):
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def final_weights(work_dir) -> dict:
    return read_checkpoint(latest_checkpoint(work_dir))['state_dict']


def assert_same(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    different = [key for key in first if not torch.equal(first[key], second[key])]
    assert not different


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('stop', [3, 4])
def test_resume_is_exact(minicity, tmp_path, workers, stop):
    options = {'train_dataloader.num_workers': workers, 'val': 2}
    whole = train(tiny_config('advent', minicity, tmp_path / 'whole', **options), Dropout())
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('advent', minicity, tmp_path / 'cut', **options), Dropout(), Interrupt(stop))
    cfg = tiny_config('advent', minicity, tmp_path / 'cut', **options)
    cfg.resume = True
    resumed = train(cfg, Dropout())
    assert resumed.iter == whole.iter == 6
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))
    states = [read_checkpoint(latest_checkpoint(tmp_path / name))['optimizer'] for name in ('whole', 'cut')]
    for module in ('segmentor', 'discriminator'):
        for a, b in zip(states[0][module]['state'].values(), states[1][module]['state'].values(), strict=True):
            for key in a:
                assert torch.equal(torch.as_tensor(a[key]), torch.as_tensor(b[key])), (module, key)


def test_validation_leaves_no_trace(minicity, tmp_path):
    for name, val in (('often', 1), ('never', 100)):
        train(tiny_config('adabn', minicity, tmp_path / name, val=val), Dropout())
    assert_same(final_weights(tmp_path / 'often'), final_weights(tmp_path / 'never'))


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='finds the processes to kill in /proc')
@pytest.mark.parametrize('processes, workers', [(1, 2), pytest.param(2, 0, marks=pytest.mark.slow), (2, 2)])
def test_killed_and_resumed(minicity, tmp_path, processes, workers):
    """kill -9 of a real command, on one process and on two."""
    options = tiny_options('advent', iters=12, save=2, **{'train_dataloader.num_workers': workers})

    def command(work_dir: Path, *more: str) -> list:
        script = [sys.executable, TOOLS / 'train.py', CONFIGS / 'advent/minicity.py']
        if processes > 1:
            script = [TOOLS / 'dist_train.sh', CONFIGS / 'advent/minicity.py', str(processes)]
        return [
            *map(str, script),
            '--work-dir',
            str(work_dir),
            *more,
            '--cfg-options',
            *(f'{key}={value}' for key, value in options.items()),
        ]

    env = dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1', PYTHON=sys.executable)
    subprocess.run(command(tmp_path / 'whole'), env=env, check=True, capture_output=True)

    kill_when(command(tmp_path / 'cut'), env, lambda: latest_checkpoint(tmp_path / 'cut') is not None, tmp_path / 'log')
    assert read_checkpoint(latest_checkpoint(tmp_path / 'cut'))['meta']['iter'] < 12, 'nothing was left to resume'
    subprocess.run(command(tmp_path / 'cut', '--resume'), env=env, check=True, capture_output=True)
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))


def test_checkpoints_are_plain_and_portable(minicity, tmp_path):
    runner = train(tiny_config('advent', minicity, tmp_path))
    checkpoint = read_checkpoint(latest_checkpoint(tmp_path))
    assert all('.module.' not in key for key in checkpoint['state_dict'])
    assert set(checkpoint['state_dict']) == set(runner.model.state_dict())
    assert checkpoint['meta']['training']['world_size'] == 1 and checkpoint['meta']['iter'] == 6
    assert not list(tmp_path.glob('*.part'))


def test_old_checkpoints_go_only_when_the_new_one_is_there(minicity, tmp_path, monkeypatch):
    seen = []
    runner = build_runner(tiny_config('source_only', minicity, tmp_path))
    monkeypatch.setattr(type(runner), 'save_checkpoint', _recording(type(runner).save_checkpoint, seen, tmp_path))
    runner.train()
    # keeping two: when the third is written, the first two are still there
    assert seen == [[], ['iter_2.pth'], ['iter_2.pth', 'iter_4.pth']]
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == ['iter_4.pth', 'iter_6.pth']


def _recording(save, seen, folder):
    def wrapped(self, *args, **kwargs):
        seen.append(sorted(p.name for p in folder.glob('*.pth')))
        return save(self, *args, **kwargs)

    return wrapped


@pytest.mark.parametrize(
    'key, value, message',
    [
        ('randomness.seed', 5, 'trained with seed 0, this run has 5: resume with the same randomness.seed'),
        ('train_dataloader.batch_size', 1, 'trained with batch_size 2, this run has 1'),
        (
            'optim_wrapper.precision',
            'bfloat16',
            'trained with precision None, this run has torch.bfloat16: .* same --amp',
        ),
        ('optim_wrapper.accumulative_counts', 2, 'trained with accumulative_counts 1, this run has 2'),
    ],
)
def test_resume_with_other_settings_is_refused(minicity, tmp_path, key, value, message):
    train(tiny_config('source_only', minicity, tmp_path, iters=2))
    cfg = tiny_config('source_only', minicity, tmp_path, iters=4, **{key: value})
    cfg.resume = True
    with pytest.raises(RuntimeError, match=message):
        train(cfg)


def test_a_new_run_in_an_old_folder_sets_the_old_checkpoints_aside(minicity, tmp_path):
    train(tiny_config('source_only', minicity, tmp_path, iters=4))
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path, iters=4), Interrupt(1))
    assert latest_checkpoint(tmp_path) is None, 'nothing of the new run is there to resume'
    (aside,) = tmp_path.glob('before_*')
    assert sorted(path.name for path in aside.iterdir()) == ['iter_2.pth', 'iter_4.pth', 'last_checkpoint']
    train(tiny_config('source_only', minicity, tmp_path, iters=2))
    assert latest_checkpoint(tmp_path).endswith('iter_2.pth')


def test_runs_that_start_in_the_same_second_share_nothing(minicity, tmp_path, monkeypatch):
    # a run is known by its time: mmengine would hand the third the list of checkpoints of the first, to delete from
    monkeypatch.setattr(time, 'strftime', lambda form, *_: form.replace('%Y%m%d_%H%M%S', '20260101_000000'))
    for iters in (4, 2, 2):
        train(tiny_config('source_only', minicity, tmp_path, iters=iters))
        assert latest_checkpoint(tmp_path).endswith(f'iter_{iters}.pth')
    assert len(list(tmp_path.glob('before_*/last_checkpoint'))) == 2
    assert len(list(tmp_path.glob('*/*.log'))) == 3, 'each has its own log'
    assert len(list(tmp_path.glob('*/vis_data/scalars.json'))) == 3


def test_saving_the_best_does_not_disturb_resume(minicity, tmp_path):
    best = {'val': 2, '+default_hooks.checkpoint.save_best': 'mIoU'}
    train(tiny_config('advent', minicity, tmp_path / 'whole', **best), Dropout())
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('advent', minicity, tmp_path / 'cut', **best), Dropout(), Interrupt(5))
    cfg = tiny_config('advent', minicity, tmp_path / 'cut', **best)
    cfg.resume = True
    train(cfg, Dropout())
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))


def test_resume_with_nothing_to_resume_starts(minicity, tmp_path):
    cfg = tiny_config('source_only', minicity, tmp_path, iters=2)
    cfg.resume = True
    assert train(cfg).iter == 2


def test_resume_prefers_its_own_checkpoints_to_load_from(minicity, tmp_path):
    train(tiny_config('source_only', minicity, tmp_path / 'first', iters=2))
    options = dict(load_from=latest_checkpoint(tmp_path / 'first'))
    train(tiny_config('advent', minicity, tmp_path / 'second', iters=2, **options))
    cfg = tiny_config('advent', minicity, tmp_path / 'second', iters=4, **options)
    cfg.resume = True
    runner = build_runner(cfg)
    runner.register_hook(Interrupt(3))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert runner.iter == 2


def test_checkpoint_interval_must_fit_accumulation(minicity, tmp_path):
    gather = {'optim_wrapper.accumulative_counts': 2}
    with pytest.raises(ValueError, match='interval=3 must be a multiple of optim_wrapper.accumulative_counts=2'):
        train(tiny_config('source_only', minicity, tmp_path, save=3, **gather))
    with pytest.raises(ValueError, match='val_interval=3 must be a multiple'):
        train(
            tiny_config(
                'source_only', minicity, tmp_path, val=3, **gather, **{'+default_hooks.checkpoint.save_best': 'mIoU'}
            )
        )
    with pytest.raises(ValueError, match='by_epoch=True'):
        train(tiny_config('source_only', minicity, tmp_path, **{'+default_hooks.checkpoint.by_epoch': True}))


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


def test_nan_stops_with_the_name_of_the_loss(minicity, tmp_path):
    class Poison(Hook):
        def before_train_iter(self, runner, *args, **kwargs):
            if runner.iter == 3:
                torch.nn.init.constant_(runner.model.segmentor.decode_head.branches[0].bias, float('nan'))

    with pytest.raises(FloatingPointError, match='loss_seg_main became NaN or infinite .* before iteration 4'):
        train(tiny_config('source_only', minicity, tmp_path), Poison())


def test_bfloat16_from_the_config(minicity, tmp_path):
    train(tiny_config('advent', minicity, tmp_path, iters=2, **{'optim_wrapper.precision': 'bfloat16'}))
    assert all(torch.isfinite(v).all() for v in final_weights(tmp_path).values() if v.is_floating_point())


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

"""Training with the runner: exact resume, checkpoints, and validation without side effects."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from killing import kill_when
from toolbox import CONFIGS, tiny_config, tiny_options
from trainings import Interrupt, assert_same, final_weights, train

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.launch import build_runner

TOOLS = CONFIGS.parent / 'tools'


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='finds the processes to kill in /proc')
@pytest.mark.parametrize(
    'method, processes, workers',
    [
        ('advent', 1, 2),
        pytest.param('advent', 2, 0, marks=pytest.mark.slow),
        pytest.param('advent', 2, 2, marks=pytest.mark.slow),
        pytest.param('dacs', 1, 0, marks=pytest.mark.slow),
        ('dacs', 2, 0),
    ],
)
def test_killed_and_resumed(minicity, tmp_path, method, processes, workers):
    """A real command on one or two processes, killed with SIGKILL and resumed, ends with the same weights."""
    options = tiny_options(method, iters=12, save=2, **{'train_dataloader.num_workers': workers})

    def command(work_dir: Path, *more: str) -> list:
        config = CONFIGS / method / 'minicity.py'
        script = [sys.executable, TOOLS / 'train.py', config]
        if processes > 1:
            script = [TOOLS / 'dist_train.sh', config, str(processes)]
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
    assert read_checkpoint(latest_checkpoint(tmp_path / 'cut'))['meta']['iter'] < 12, (
        'the training ended before the kill'
    )
    subprocess.run(command(tmp_path / 'cut', '--resume'), env=env, check=True, capture_output=True)
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))


def test_checkpoints_are_plain_and_portable(minicity, tmp_path):
    runner = train(tiny_config('advent', minicity, tmp_path))
    checkpoint = read_checkpoint(latest_checkpoint(tmp_path))
    assert all('.module.' not in key for key in checkpoint['state_dict'])
    assert set(checkpoint['state_dict']) == set(runner.model.state_dict())
    assert checkpoint['meta']['training']['world_size'] == 1 and checkpoint['meta']['iter'] == 6
    assert not list(tmp_path.glob('*.part'))


def test_a_new_run_in_an_old_folder_sets_the_old_checkpoints_aside(minicity, tmp_path):
    train(tiny_config('source_only', minicity, tmp_path, iters=4))
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config('source_only', minicity, tmp_path, iters=4), Interrupt(1))
    assert latest_checkpoint(tmp_path) is None, 'the old checkpoints must be moved away'
    (aside,) = tmp_path.glob('before_*')
    assert sorted(path.name for path in aside.iterdir()) == ['iter_2.pth', 'iter_4.pth', 'last_checkpoint']
    train(tiny_config('source_only', minicity, tmp_path, iters=2))
    assert latest_checkpoint(tmp_path).endswith('iter_2.pth')


def test_runs_that_start_in_the_same_second_share_nothing(minicity, tmp_path, monkeypatch):
    # mmengine names runs by their start second: otherwise, the third would delete checkpoints listed by the first
    monkeypatch.setattr(time, 'strftime', lambda form, *_: form.replace('%Y%m%d_%H%M%S', '20260101_000000'))
    for iters in (4, 2, 2):
        train(tiny_config('source_only', minicity, tmp_path, iters=iters))
        assert latest_checkpoint(tmp_path).endswith(f'iter_{iters}.pth')
    assert len(list(tmp_path.glob('before_*/last_checkpoint'))) == 2
    assert len(list(tmp_path.glob('*/*.log'))) == 3, 'each run must have its own log'
    assert len(list(tmp_path.glob('*/vis_data/scalars.json'))) == 3


def test_resume_with_nothing_to_resume_starts(minicity, tmp_path):
    cfg = tiny_config('source_only', minicity, tmp_path, iters=2)
    cfg.resume = True
    assert train(cfg).iter == 2


def test_resume_prefers_its_own_checkpoints_to_load_from(minicity, tmp_path):
    train(tiny_config('source_only', minicity, tmp_path / 'first', iters=2))
    options = dict(load_from=latest_checkpoint(tmp_path / 'first'))
    train(tiny_config('advent', minicity, tmp_path / 'second', iters=2, **options))
    cfg = tiny_config('advent', minicity, tmp_path / 'second', iters=4, **options)
    cfg.resume, cfg.resume_allow = True, ['train_cfg.max_iters']
    runner = build_runner(cfg)
    runner.register_hook(Interrupt(3))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert runner.iter == 2


def test_bfloat16_from_the_config(minicity, tmp_path):
    train(tiny_config('advent', minicity, tmp_path, iters=2, **{'optim_wrapper.precision': 'bfloat16'}))
    assert all(torch.isfinite(v).all() for v in final_weights(tmp_path).values() if v.is_floating_point())

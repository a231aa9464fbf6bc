"""A training saves a checkpoint on a stop signal and resumes exactly."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from toolbox import CONFIGS, tiny_config, tiny_options
from trainings import Dropout, assert_same, final_weights, train

from mmuda.checkpoints import latest_checkpoint, read_checkpoint
from mmuda.engine.stopping import EXIT_CODE, Stopped, outlive_signals, stoppable

TOOLS = CONFIGS.parent / 'tools'


pytestmark = pytest.mark.usefixtures('sigint_is_heard')


class Signal(Hook):
    """A hook that sends a signal to this process in the middle of an iteration or of a validation."""

    def __init__(self, number: int, iteration: int, validation: bool = False) -> None:
        self.number, self.iteration, self.validation = number, iteration, validation

    def before_train_iter(self, runner, *args, **kwargs):
        if not self.validation and runner.iter + 1 == self.iteration:
            os.kill(os.getpid(), self.number)

    def before_val_iter(self, runner, batch_idx, **kwargs):
        if self.validation and runner.iter == self.iteration and batch_idx == 1:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize('method', ['advent'])
def test_a_signal_saves_a_checkpoint_that_resumes_exactly(minicity, tmp_path, number, method, capsys):
    train(tiny_config(method, minicity, tmp_path / 'whole', save=4), Dropout())
    with stoppable(), pytest.raises(Stopped) as ended:
        train(tiny_config(method, minicity, tmp_path / 'cut', save=4), Dropout(), Signal(number, 3))
    assert ended.value.code == EXIT_CODE == 75
    assert latest_checkpoint(tmp_path / 'cut').endswith('iter_3.pth')
    told = capsys.readouterr()
    name = signal.Signals(number).name
    assert f'{name}: stopped after iteration 3, saved' in told.out + told.err
    assert 'the same command with --resume continues' in told.out + told.err
    cfg = tiny_config(method, minicity, tmp_path / 'cut', save=4)
    cfg.resume = True
    train(cfg, Dropout())
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))


@pytest.mark.parametrize('save', [2, 100], ids=['saved before', 'saved now'])
def test_a_signal_in_a_validation(minicity, tmp_path, save):
    options = dict(save=save, val=2, **{'+default_hooks.checkpoint.save_best': 'mIoU'})
    train(tiny_config('source_only', minicity, tmp_path / 'whole', **options), Dropout())
    with stoppable(), pytest.raises(Stopped):
        train(
            tiny_config('source_only', minicity, tmp_path / 'cut', **options),
            Dropout(),
            Signal(signal.SIGTERM, 4, validation=True),
        )
    assert latest_checkpoint(tmp_path / 'cut').endswith('iter_4.pth')
    assert json.loads((tmp_path / 'cut/run.json').read_text())['validated'] == 2
    cfg = tiny_config('source_only', minicity, tmp_path / 'cut', **options)
    cfg.resume = True
    train(cfg, Dropout())
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))


def test_gathered_gradients_are_not_lost(minicity, tmp_path):
    gather = {'optim_wrapper.accumulative_counts': 2}
    with stoppable(), pytest.raises(Stopped):
        train(tiny_config('source_only', minicity, tmp_path, save=6, **gather), Signal(signal.SIGTERM, 3))
    assert latest_checkpoint(tmp_path).endswith('iter_4.pth')


def test_other_work_ends_at_once():
    with stoppable(), pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        pytest.fail('the signal had no effect')


def test_signals_are_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def worker() -> None:
    outlive_signals(None, 0)
    time.sleep(60)


@pytest.mark.skipif(not hasattr(signal, 'sigwaitinfo'), reason='needs sigwaitinfo to know the sender of a signal')
def test_workers_end_with_their_process_and_not_with_a_signal_to_all():
    process = multiprocessing.get_context('fork').Process(target=worker, daemon=True)
    process.start()
    time.sleep(0.5)
    for number in ('INT', 'USR1', 'TERM'):
        subprocess.run(['kill', f'-{number}', str(process.pid)], check=True)
    process.join(1)
    assert process.is_alive(), 'a signal from another process than its parent must not end it'
    process.terminate()
    process.join(10)
    assert process.exitcode == 0


def started(minicity, work_dir: Path, processes: int, *more: str, iters: int) -> tuple[list[str], dict[str, str]]:
    more_options = {'train_dataloader.num_workers': 1, 'param_scheduler.0.end': 100001}
    options = tiny_options('advent', iters=iters, save=1000, **more_options)
    config = str(CONFIGS / 'advent/minicity.py')
    script = [sys.executable, str(TOOLS / 'train.py'), config]
    if processes > 1:
        script = [str(TOOLS / 'dist_train.sh'), config, str(processes)]
    settings = [f'{key}={value}' for key, value in options.items()]
    command = [*script, '--work-dir', str(work_dir), *more, '--cfg-options', *settings]
    return command, dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1', PYTHON=sys.executable)


@pytest.mark.slow
@pytest.mark.parametrize(
    'processes, number',
    [(1, signal.SIGINT), (1, signal.SIGTERM), (2, signal.SIGTERM), (2, signal.SIGINT), (2, signal.SIGUSR1)],
)
def test_a_command_stops_quietly_and_goes_on(minicity, tmp_path, processes, number):
    command, env = started(minicity, tmp_path / 'run', processes, iters=100000)
    with open(tmp_path / 'log', 'wb') as log:
        running = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        start = time.monotonic()
        while not re.search(r'Iter\(train\) \[ *[46]/', text := (tmp_path / 'log').read_text(errors='replace')):
            assert running.poll() is None and time.monotonic() - start < 300, text[-3000:]
            time.sleep(0.1)
        if number == signal.SIGINT:
            os.killpg(running.pid, number)  # as Ctrl-C in a terminal does
        else:
            running.send_signal(number)
        code = running.wait(timeout=120)
    told = (tmp_path / 'log').read_text(errors='replace')
    assert code == EXIT_CODE, told[-3000:]
    assert 'stopped after iteration' in told and 'Traceback' not in told, told[-3000:]
    path = latest_checkpoint(tmp_path / 'run')
    done = read_checkpoint(path)['meta']['iter']
    command, env = started(
        minicity, tmp_path / 'run', processes, '--resume', '--allow', 'train_cfg.max_iters', iters=done + 2
    )
    subprocess.run(command, env=env, check=True, capture_output=True)
    assert latest_checkpoint(tmp_path / 'run').endswith(f'iter_{done + 2}.pth')
    command, env = started(minicity, tmp_path / 'whole', processes, iters=done + 2)
    subprocess.run(command, env=env, check=True, capture_output=True)
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'run'))

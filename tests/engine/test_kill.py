"""Teacher-student trainings killed at random moments and resumed end with the same bits, on one and two processes."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from killing import ForkedCommand
from toolbox import CONFIGS, tiny_options
from trainings import assert_same, final_weights

ROOT = CONFIGS.parent
BASES = {'DACS': ROOT / 'configs/dacs/minicity.py', 'DAFormer+MIC': ROOT / 'projects/mic/configs/minicity.py'}
MORE = {'DACS': {}, 'DAFormer+MIC': {'train_dataloader.sampler.source_policy.min_pixels': 0}}
"""Additional options for images of this small size."""
ITERATIONS, KILLS = 30, 10

MARK = """
import os
from pathlib import Path
from mmengine.hooks import Hook
from mmseg.registry import HOOKS

@HOOKS.register_module()
class Mark(Hook):
    '''Record the number of each iteration at its start.'''
    def before_train_iter(self, runner, *args, **kwargs):
        Path(os.environ['MARK']).write_text(str(runner.iter))
"""

CONFIG = """
_base_ = '{base}'
custom_imports = dict(imports=['mmuda', 'mark', *_base_.custom_imports.imports])
custom_hooks = [*_base_.custom_hooks, dict(type='Mark')]
model = dict(threshold=0.0)  # pseudo labels count from the beginning
"""


@pytest.mark.slow  # it starts twelve trainings; faster tests resume inside one process
@pytest.mark.parametrize('processes', [1, 2])
@pytest.mark.parametrize('method', BASES)
def test_killed_at_random_moments_and_resumed(method, processes, minicity, tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    (tmp_path / 'mark.py').write_text(MARK)
    config, mark = tmp_path / 'config.py', tmp_path / 'mark.txt'
    config.write_text(CONFIG.format(base=BASES[method]))
    options = tiny_options('dacs', iters=ITERATIONS, save=3, val=10, **MORE[method])
    changed = [f'{key}={value}' for key, value in options.items()]
    env = dict(MINICITY_ROOT=str(minicity), MARK=str(mark), PYTHONPATH=str(tmp_path))
    launcher = ['--launcher', 'pytorch'] if processes > 1 else []

    def start(folder: str, *more: str) -> ForkedCommand:
        script = [str(ROOT / 'tools/train.py'), str(config), '--work-dir', str(tmp_path / folder), *launcher, *more]
        return ForkedCommand([*script, '--cfg-options', *changed], env, tmp_path / f'{folder}.log', processes)

    start('whole').finish()
    moments = random.Random(f'{method} {processes}')
    for number, iteration in enumerate(sorted(moments.sample(range(ITERATIONS - 5), KILLS))):
        mark.unlink(missing_ok=True)
        delay = moments.uniform(0, 0.1)  # in seconds, to hit the middle of an iteration or the writing of a checkpoint
        start('cut', *['--resume'] * bool(number)).kill_when(moment(mark, iteration, delay))
        assert not (tmp_path / f'cut/iter_{ITERATIONS}.pth').exists(), (
            f'the training ended before the kill in iteration {iteration}'
        )
    start('cut', '--resume').finish()

    whole, cut = final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut')
    assert whole['teacher.updates.value'] >= ITERATIONS - 1 and whole['random.iterations.value'] == ITERATIONS
    assert_same(whole, cut)


def moment(mark: Path, iteration: int, delay: float) -> Callable[[], bool]:
    """Return a function that becomes true some seconds after an iteration has started."""
    begun: list[float] = []

    def reached() -> bool:
        text = mark.read_text() if mark.exists() else ''
        if not begun and text and int(text) >= iteration:
            begun.append(time.monotonic())
        return bool(begun) and time.monotonic() - begun[0] >= delay

    return reached

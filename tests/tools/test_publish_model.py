"""Tests of `tools/publish_model.py` on checkpoints of `tools/train.py`."""

from pathlib import Path

from commands import TOOLS, run
from toolbox import CONFIGS, tiny_options


def test_train_with_amp_channels_last_and_publish(minicity, tmp_path):
    run(
        minicity,
        TOOLS / 'train.py',
        CONFIGS / 'source_only/minicity.py',
        '--work-dir',
        tmp_path,
        '--amp',
        'bfloat16',
        '--channels-last',
        '--cfg-options',
        *(f'{key}={value}' for key, value in tiny_options('source_only', iters=2).items()),
    )
    log = run(minicity, TOOLS / 'publish_model.py', tmp_path / 'iter_2.pth', tmp_path / 'plain.pth')
    assert Path(log.splitlines()[-1]).is_file()

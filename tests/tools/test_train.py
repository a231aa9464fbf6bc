"""Tests of `tools/train.py`."""

from commands import TOOLS, run
from toolbox import CONFIGS


def test_misspelt_option_fails_before_anything_starts(minicity, tmp_path):
    log = run(
        minicity,
        TOOLS / 'train.py',
        CONFIGS / 'advent/minicity.py',
        '--work-dir',
        tmp_path / 'new',
        '--cfg-options',
        'train_cfg.max_itres=3',
        fails=True,
    )
    assert 'did you mean max_iters' in log and not (tmp_path / 'new').exists()

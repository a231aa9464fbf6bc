"""Tests of `tools/cache.py`."""

import re

from commands import TOOLS, run_tool
from toolbox import CONFIGS

OPTION = '+train_dataloader.dataset.cache_bytes'


def test_the_cache_is_filled(minicity, tmp_path):
    env = dict(MINICITY_ROOT=str(minicity), MMUDA_CACHE_DIR=str(tmp_path))
    command = [TOOLS / 'cache.py', CONFIGS / 'fada/minicity.py', '--threads', 2]
    code, printed = run_tool(*command, env=env)
    assert code == 1 and f'add --cfg-options {OPTION}=100e9' in printed
    code, printed = run_tool(*command, '--stage', 'source', '--cfg-options', f'{OPTION}=1', env=env)
    assert code == 1 and 'is full (cache_bytes=1;' in printed and 'Traceback' not in printed
    code, printed = run_tool(*command, '--cfg-options', f'{OPTION}=1e9', env=env)
    assert code == 0 and 'GTA5Dataset, decoding: 7/7' in printed and 'CityscapesDataset, decoding: 5/5' in printed
    assert re.search(rf'{tmp_path}/samples: \d+\.\d [KM]iB of at most 953.7 MiB', printed)
    assert len(list((tmp_path / 'samples').iterdir())) == 12

"""`tools/cache.py`."""

import re

from commands import TOOLS, run
from toolbox import CONFIGS

OPTION = '+train_dataloader.dataset.cache_bytes'


def test_the_cache_is_filled_and_checked(minicity):
    command = [TOOLS / 'cache.py', CONFIGS / 'dacs/minicity.py', '--threads', 2]
    for _ in range(2):
        printed = run(minicity, *command, '--cfg-options', f'{OPTION}=1e9')
        assert 'GTA5Dataset, decoding: 7/7' in printed and 'CityscapesDataset, decoding: 5/5' in printed
        assert re.search(r'samples: \d+\.\d [KM]iB of at most 953.7 MiB', printed)


def test_mistakes(minicity):
    command = [TOOLS / 'cache.py', CONFIGS / 'fada/minicity.py']
    assert f'add --cfg-options {OPTION}=100e9' in run(minicity, *command, fails=True)
    printed = run(minicity, *command, '--stage', 'source', '--cfg-options', f'{OPTION}=1', fails=True)
    assert 'error: ' in printed and 'is full (cache_bytes=1;' in printed and 'Traceback' not in printed

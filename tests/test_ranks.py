"""Decisions of the main process, shares of the work and bare models, on one process and on two."""

import os
import subprocess
import sys

import pytest
from torch import nn
from torch.nn.parallel import DataParallel

from mmuda.ranks import from_main, own_share, unwrap


def test_one_process_decides_for_itself():
    assert from_main(lambda: 'decided') == 'decided'
    with pytest.raises(KeyError, match='gone'):
        from_main(lambda: {}['gone'])


def test_one_process_has_the_whole_work():
    assert list(own_share(5)) == [0, 1, 2, 3, 4]
    assert list(own_share(0)) == []


def test_wrappers_are_taken_off_and_nothing_else():
    bare = nn.Sequential(nn.Linear(1, 1))
    assert unwrap(bare) is bare
    assert unwrap(DataParallel(DataParallel(bare))) is bare
    holder = nn.Module()
    holder.module = bare  # a model that holds another one, such as test-time augmentation
    assert unwrap(holder) is holder


TWO = """
import sys
from pathlib import Path
from mmengine.dist import get_rank
from mmuda.engine.distributed import leave_at_exit, start_gloo
from mmuda.ranks import from_main, own_share
start_gloo()
leave_at_exit()
out = Path(sys.argv[1]) / str(get_rank())
def fail():
    raise OSError('the disk is gone')
lines = [from_main(lambda: f'rank {get_rank()}'), str(list(own_share(5)))]
try:
    from_main(fail)
except Exception as error:
    lines.append(f'{type(error).__name__}: {error}')
out.write_text(chr(10).join(lines))
"""


def test_the_main_process_decides_for_two(tmp_path):
    script = tmp_path / 'two.py'
    script.write_text(TWO)
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', script, tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / '0').read_text().splitlines() == ['rank 0', '[0, 2, 4]', 'OSError: the disk is gone']
    assert (tmp_path / '1').read_text().splitlines() == [
        'rank 0',
        '[1, 3]',
        'RuntimeError: the main process failed: OSError: the disk is gone',
    ]

"""Decisions of the main process, shares of the work and bare models, on one process and on two."""

import pytest
from processes import run_on_processes
from torch import nn
from torch.nn.parallel import DataParallel

from mmuda.ranks import from_main, own_share, rank_and_world_size, unwrap


def test_one_process_decides_for_itself():
    assert from_main(lambda: 'decided') == 'decided'
    with pytest.raises(KeyError, match='gone'):
        from_main(lambda: {}['gone'])


def test_one_process_has_the_whole_work():
    assert list(own_share(5)) == [0, 1, 2, 3, 4]
    assert list(own_share(0)) == []
    assert rank_and_world_size() == (0, 1)


def test_wrappers_are_taken_off_and_nothing_else():
    bare = nn.Sequential(nn.Linear(1, 1))
    assert unwrap(bare) is bare
    assert unwrap(DataParallel(DataParallel(bare))) is bare
    holder = nn.Module()
    holder.module = bare  # a model that holds another model, such as test-time augmentation
    assert unwrap(holder) is holder


def decide(rank: int) -> tuple:
    """Return a decision of the main process, the share of the work, and the error after a decision that failed."""
    try:
        from_main(lambda: {}['gone'])
    except Exception as error:
        told = f'{type(error).__name__}: {error}'
    assert rank_and_world_size() == (rank, 2)
    return from_main(lambda: f'rank {rank}'), list(own_share(5)), told


def test_the_main_process_decides_for_two(tmp_path):
    first, second = run_on_processes(decide, tmp_path)
    assert first == ('rank 0', [0, 2, 4], "KeyError: 'gone'")
    assert second == ('rank 0', [1, 3], "RuntimeError: the main process failed: KeyError: 'gone'")

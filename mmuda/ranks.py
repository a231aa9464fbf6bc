"""Runs with several processes: decisions of the main process, shares of the work, models without their wrappers."""

from collections.abc import Callable
from typing import Any, TypeVar

from mmengine.dist import broadcast_object_list, get_dist_info, is_main_process
from mmengine.model import is_model_wrapper
from torch import nn

__all__ = ['from_main', 'is_main_process', 'own_share', 'rank_and_world_size', 'unwrap']

T = TypeVar('T')


def from_main(decide: Callable[[], T]) -> T:
    """Call a function on the main process, and return its result on every process.

    All processes must call it. It is also a barrier: no process continues before the main process has the result.

    Args:
        decide: Function that is called on the main process only. Its result must be picklable.

    Raises:
        Exception: On the main process, any error of ``decide``.
        RuntimeError: On the other processes, if ``decide`` raised an error, with its message.
    """
    outcome: list[Any] = [None, None]
    failure = None
    if is_main_process():
        try:
            outcome[0] = decide()
        except Exception as error:  # the other processes must not wait forever
            failure, outcome[1] = error, f'{type(error).__name__}: {error}'
    broadcast_object_list(outcome)
    if failure is not None:
        raise failure
    if outcome[1] is not None:
        raise RuntimeError(f'the main process failed: {outcome[1]}')
    return outcome[0]


def own_share(count: int) -> range:
    """Return the indices of the items of this process among ``count`` items: rank r of W has r, r + W, r + 2W, ..."""
    rank, world_size = rank_and_world_size()
    return range(rank, count, world_size)


def rank_and_world_size() -> tuple[int, int]:
    """Return the rank of this process, from 0, and the number of processes."""
    return get_dist_info()


def unwrap(model: nn.Module) -> nn.Module:
    """Return a model without its wrappers for distributed training; a bare model is returned as it is."""
    bare: Any = model
    while is_model_wrapper(bare):
        bare = bare.module
    return bare

"""The hook that saves and ends a training after a signal to stop, on all processes after the same iteration."""

import time
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..stopping import Stopped, asked_to_stop
from .checkpoint_hook import AdaptationCheckpointHook

PATIENCE = 2.0
"""Approximate seconds between two exchanges of the processes."""
MOST = 100
"""Greatest number of iterations between two exchanges."""


@HOOKS.register_module()
class StopHook(Hook):
    """Hook that ends a training with :class:`Stopped` after a signal, once the state of the training is saved.

    The runner adds it if the process handles signals, see :mod:`mmuda.engine.stopping`. Other hooks can define
    ``before_stop(runner)``, which is called on every process before the state is saved.

    A single process checks its flag after each iteration. Several processes exchange their flags about every two
    seconds over gloo, between the hosts, so that no device is synchronised. A validation is stopped in the middle, and
    repeated when the training is resumed.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._group: Any = None
        self._next, self._last, self._began = 0, 0, 0.0
        self._same_length = False

    def before_train(self, runner: Runner) -> None:
        """Make a process group that exchanges numbers between hosts."""
        if get_world_size() > 1:
            self._group = dist.group.WORLD if dist.get_backend() == 'gloo' else dist.new_group(backend='gloo')
        self._count_from(runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Stop after a signal, unless gradients are being accumulated."""
        iteration = runner.iter + 1
        if not _gathers(runner, iteration) and self._asked(iteration):
            self._stop(runner, saved=False)

    def before_val(self, runner: Runner) -> None:
        """Check whether all processes validate the same number of batches."""
        length = len(runner.val_dataloader)
        if self._group is not None:
            lengths = torch.tensor([length, -length])
            dist.all_reduce(lengths, dist.ReduceOp.MAX, group=self._group)
            self._same_length = int(lengths[0]) == -int(lengths[1])
        self._count_from(0)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Any = None
    ) -> None:
        """Stop in the middle of a validation after a signal, unless gradients are being accumulated."""
        if _gathers(runner, runner.iter):
            return
        if (self._group is None or self._same_length) and self._asked(batch_idx + 1):
            self._stop(runner, saved=True)

    def after_val(self, runner: Runner) -> None:
        """Count iterations of the training again."""
        self._count_from(runner.iter)

    def _count_from(self, step: int) -> None:
        self._next, self._last, self._began = step + 1, step, time.monotonic()

    def _asked(self, step: int) -> bool:
        """Return whether any process has received a signal to stop; the answer is the same on all processes."""
        mine = asked_to_stop() is not None
        if self._group is None:
            return mine
        if step < self._next:
            return False
        seconds = (time.monotonic() - self._began) / max(step - self._last, 1)
        wait = min(max(int(PATIENCE / max(seconds, 1e-3)), 1), MOST)
        found = torch.tensor([int(mine), -wait])
        dist.all_reduce(found, dist.ReduceOp.MAX, group=self._group)
        self._next, self._last, self._began = step - int(found[1]), step, time.monotonic()
        return bool(found[0])

    def _stop(self, runner: Runner, saved: bool) -> None:
        """Save a checkpoint, wait for the other processes and end.

        Args:
            runner: The runner.
            saved: Whether ``runner.iter`` counts the last iteration already, as in a validation.
        """
        hook = next((hook for hook in runner.hooks if isinstance(hook, AdaptationCheckpointHook)), None)
        iteration = runner.iter if saved else runner.iter + 1
        if hook is None:
            kept = 'nothing is saved, because default_hooks.checkpoint is no AdaptationCheckpointHook'
        else:
            runner.call_hook('before_stop')
            kept = f'saved {hook.save(runner, iteration)}'
        if self._group is not None:
            dist.barrier(self._group)  # a launcher ends all other processes as soon as one has ended
        runner.logger.warning(
            f'{asked_to_stop() or "another process received a signal"}: stopped after iteration {iteration}, {kept}; '
            'the same command with --resume continues'
        )
        raise Stopped


def _gathers(runner: Runner, iteration: int) -> bool:
    """Return whether gradients are being accumulated after an iteration. A checkpoint does not hold them."""
    return bool(iteration % getattr(runner.optim_wrapper, 'accumulative_counts', 1))

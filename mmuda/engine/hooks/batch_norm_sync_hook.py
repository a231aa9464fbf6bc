"""The same batch-norm statistics on all processes, in validations and checkpoints."""

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmuda.ranks import unwrap

from ..distributed import average_batch_norm, batch_norm_buffers

BY_PROCESS = 'batch_norm_by_process'
"""Key in a checkpoint of the statistics of each process before they were averaged."""


@HOOKS.register_module()
class BatchNormSyncHook(Hook):
    """Hook that averages running statistics over processes before a validation and before a checkpoint is written.

    Train-mode batch-norm does not read them, so nothing is synchronised in between. Without this hook every process
    would validate a different network, and the file would hold the statistics of rank 0 alone.

    A run that receives a signal to stop saves at an iteration at which an uninterrupted run does not average. So its
    checkpoint also holds the statistics of each process. A resumed run with the same number of processes continues with
    them.
    """

    priority = 'HIGH'

    def __init__(self) -> None:
        self._by_process: list[dict] = []
        self._to_restore: dict | None = None

    def before_val(self, runner: Runner) -> None:
        """Average, so that all processes validate the network that a checkpoint would hold."""
        average_batch_norm(unwrap(runner.model))

    def before_stop(self, runner: Runner) -> None:
        """Keep the statistics of all processes for the checkpoint that is saved next."""
        if get_world_size() > 1:
            own = {name: value.cpu() for name, value in batch_norm_buffers(unwrap(runner.model)).items()}
            self._by_process = all_gather_object(own)

    def before_gather_checkpoint(self, runner: Runner) -> None:
        """Average. Training continues with the averaged statistics, as it would after a resume."""
        average_batch_norm(unwrap(runner.model))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the statistics of all processes to the checkpoint of a run that stops."""
        if self._by_process:
            checkpoint[BY_PROCESS] = self._by_process

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the statistics of this process for a resumed training."""
        by_process = checkpoint.get(BY_PROCESS, [])
        self._to_restore = by_process[get_rank()] if len(by_process) == get_world_size() else None

    def before_train(self, runner: Runner) -> None:
        """Restore the statistics of this process in a resumed training."""
        if self._to_restore is not None and runner.iter > 0:
            with torch.no_grad():
                for name, buffer in batch_norm_buffers(unwrap(runner.model)).items():
                    buffer.copy_(self._to_restore[name])
        self._to_restore = None

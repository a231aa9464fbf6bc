"""The progress bar of a training on a terminal."""

import atexit
from contextlib import ExitStack
from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmuda.progress import ProgressDisplay

from ..terminal import write_through_stdout


@HOOKS.register_module()
class ProgressHook(Hook):
    """Hook that shows the progress of training and validation, their rate and the remaining time on a terminal.

    Log lines appear above the bar. Without a terminal, and on other processes, no bar is shown; the log has the same
    information.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._shown = ExitStack()
        self._display: ProgressDisplay | None = None

    def before_train(self, runner: Runner) -> None:
        """Show a bar of all iterations."""
        atexit.register(self._close)  # no hook is called when an error ends the training
        self._open(runner, ProgressDisplay(runner.max_iters, 'training', 'iterations', done=runner.iter))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Count the iteration."""
        self._update()

    def after_train(self, runner: Runner) -> None:
        """Remove the bar."""
        self._close()
        atexit.unregister(self._close)

    def before_val_epoch(self, runner: Runner) -> None:
        """Show a bar of the validation instead."""
        loader: Any = runner.val_dataloader
        self._open(runner, ProgressDisplay(len(loader), 'validation', 'batches'))

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Any = None
    ) -> None:
        """Count the batch."""
        self._update()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remove the bar of the validation."""
        self._close()

    def after_val(self, runner: Runner) -> None:
        """Show the bar of the training again, if the training is not complete."""
        if 0 < runner.iter < runner.max_iters:
            self._open(runner, ProgressDisplay(runner.max_iters, 'training', 'iterations', done=runner.iter))

    def _open(self, runner: Runner, display: ProgressDisplay) -> None:
        self._close()
        if not display.file.isatty():
            return
        self._shown.callback(write_through_stdout, runner.logger)  # called after the bar has restored standard output
        self._display = self._shown.enter_context(display)
        write_through_stdout(runner.logger)

    def _update(self) -> None:
        if self._display is not None:
            self._display.update(1)

    def _close(self) -> None:
        self._display = None
        self._shown.close()

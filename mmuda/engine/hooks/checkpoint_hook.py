"""Checkpoints of which one is complete at any time."""

import os
from collections.abc import Iterable
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmuda.constants import LABEL_FREE_PREFIX, LABEL_FREE_SCORES
from mmuda.internals import default_rule_keys, is_training, kept_checkpoints
from mmuda.ranks import from_main

from ..run_record import RunRecord

OUTDATED = 'outdated_ckpt_ids'
"""Name in the message hub of the list of checkpoints to delete once the checkpoint that holds the list is complete."""

RULES = {f'{LABEL_FREE_PREFIX}/{name}': rule for name, rule in LABEL_FREE_SCORES.items()}
"""Which values of scores without labels are the better ones."""

MORE_GREATER = ('IoU', 'mFscore', 'mRecall')
"""Parts of the names of scores of mmuda and mmseg, beside mmengine's, of which the greater value is the better one."""


@HOOKS.register_module()
class AdaptationCheckpointHook(CheckpointHook):
    """mmengine's :class:`CheckpointHook` that deletes an old checkpoint only after the new one is on the disk.

    A validation that an interruption has cut off, although its checkpoint was saved, is made up for on resume.

    Args as in mmengine. ``save_best`` may name scores without labels of the target, ``'label_free/IM'`` (see
    :class:`LabelFreeMetric`); ``rule`` is known for them.

    Raises:
        ValueError: Before training, if checkpoints (or the best one, after a validation) would be written where
            gradients are gathered over ``optim_wrapper.accumulative_counts`` iterations: they are not saved, so such a
            checkpoint could not be resumed exactly. Also for ``by_epoch=True``, and for an ``out_dir``.
    """

    max_keep_ckpts: int

    def __init__(self, interval: int = -1, by_epoch: bool = False, **kwargs: Any) -> None:
        if by_epoch:
            raise ValueError(
                'AdaptationCheckpointHook counts iterations: by_epoch=True makes no sense for an endless stream'
            )
        if kwargs.get('out_dir') is not None:
            raise ValueError(
                f'AdaptationCheckpointHook: out_dir={kwargs["out_dir"]!r} is not supported, since --resume and stages '
                'look for checkpoints in the work dir: set work_dir instead'
            )
        greater, less = default_rule_keys()
        by_rule = {rule: [name for name, one in RULES.items() if one == rule] for rule in ('greater', 'less')}
        kwargs.setdefault('greater_keys', [*greater, *MORE_GREATER, *by_rule['greater']])
        kwargs.setdefault('less_keys', [*less, *by_rule['less']])
        try:
            super().__init__(interval=interval, by_epoch=False, **kwargs)
        except (KeyError, ValueError) as error:
            raise ValueError(
                f'AdaptationCheckpointHook: save_best={kwargs.get("save_best")!r} and rule={kwargs.get("rule")!r}: '
                "expected a score of the validation, such as 'mIoU' or 'label_free/IM', and for others rule='greater' "
                f"or 'less' ({error.args[0] if error.args else error})"
            ) from error

    def before_train(self, runner: Runner) -> None:
        """Check the intervals, and remove what the run before had no time to remove."""
        self._find_best(runner)
        super().before_train(runner)
        self._remove(runner.message_hub.runtime_info.get(OUTDATED, ()))
        gathered = getattr(runner.optim_wrapper, 'accumulative_counts', 1)
        when = {'default_hooks.checkpoint.interval': self.interval}
        if self.save_best:
            when['train_cfg.val_interval'] = runner.val_interval
        for key, interval in when.items():
            if interval > 0 and interval % gathered:
                raise ValueError(f'{key}={interval} must be a multiple of optim_wrapper.accumulative_counts={gathered}')

    def before_train_epoch(self, runner: Runner) -> None:
        """Validate a resumed checkpoint whose validation was cut off."""
        if not runner.iter or runner.val_loop is None or runner.iter < runner.val_begin:
            return
        due = runner.iter % runner.val_interval == 0 or runner.iter == runner.max_iters
        if due and from_main(lambda: RunRecord(runner.work_dir).validated) != runner.iter:
            runner.logger.info(
                f'it is not known that the validation after iteration {runner.iter} was completed: it is made again'
            )
            self.last_ckpt = os.path.join(self.out_dir, self.filename_tmpl.format(runner.iter))
            runner.val_loop.run()

    def after_val(self, runner: Runner) -> None:
        """Note that the validation is complete."""
        if is_main_process() and is_training(runner):
            RunRecord(runner.work_dir).note_validated(runner.iter)

    def save(self, runner: Runner, iteration: int) -> str:
        """Save a checkpoint between two regular ones; return its file.

        All processes must call it. Nothing happens if it was saved already.

        Args:
            runner: The runner.
            iteration: Number of iterations that the training has made.
        """
        path = os.path.join(self.out_dir, self.filename_tmpl.format(iteration))
        if self.last_ckpt != path:
            self._save_checkpoint_with_step(runner, iteration, dict(epoch=runner.epoch, iter=iteration))
        return path

    def _find_best(self, runner: Runner) -> None:
        """Look for the best checkpoints in the folder of this run: it may have moved, or go on from that of another.

        mmengine would delete that of the other run when a better one is found.
        """
        info = runner.message_hub.runtime_info
        for key in [key for key in info if key.startswith('best_ckpt')]:
            own = os.path.join(runner.work_dir, os.path.basename(str(info[key])))
            runner.message_hub.update_info(key, own)

    def _remove(self, iterations: Iterable[int]) -> None:
        if is_main_process():
            for old in iterations:
                path = os.path.join(self.out_dir, self.filename_tmpl.format(old))
                if self.file_backend.isfile(path):
                    self.file_backend.remove(path)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = []
        keep = self.max_keep_ckpts
        if keep > 0:
            kept = kept_checkpoints(self)
            if not kept or kept[-1] != step:
                if len(kept) == keep:
                    outdated.append(kept.popleft())
                kept.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(kept))
            runner.message_hub.update_info(OUTDATED, outdated)  # if a kill comes before they are removed
        self.max_keep_ckpts = -1  # mmengine would delete first and write then
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = keep
        self._remove(outdated)

"""Writing of checkpoints so that a complete one exists at any time."""

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
"""Key in the message hub of the checkpoints to delete once the checkpoint that holds this list is complete."""

RULES = {f'{LABEL_FREE_PREFIX}/{name}': rule for name, rule in LABEL_FREE_SCORES.items()}
"""Rules of the scores without labels: whether the greater or the less value is better."""

MORE_GREATER = ('IoU', 'mFscore', 'mRecall')
"""Parts of the names of scores of mmuda and mmseg whose greater value is better, in addition to mmengine's."""


@HOOKS.register_module()
class AdaptationCheckpointHook(CheckpointHook):
    """mmengine's :class:`CheckpointHook` that deletes an old checkpoint only after the new one is on the disk.

    A validation that was interrupted after its checkpoint was saved is repeated on resume.

    The arguments are those of mmengine. ``save_best`` can also be a score that needs no labels of the target,
    ``'label_free/IM'`` (see :class:`LabelFreeMetric`); it needs no ``rule``.

    Raises:
        ValueError: If ``by_epoch`` is True, ``out_dir`` is set, or the rule of ``save_best`` is not known. Before
            training, if ``interval`` (or ``val_interval`` with ``save_best``) is no multiple of
            ``optim_wrapper.accumulative_counts``. Partly accumulated gradients are not saved, so such a checkpoint
            could not be resumed exactly.
    """

    max_keep_ckpts: int

    def __init__(self, interval: int = -1, by_epoch: bool = False, **kwargs: Any) -> None:
        if by_epoch:
            raise ValueError(
                'AdaptationCheckpointHook counts iterations: by_epoch=True makes no sense for an endless stream: omit '
                'it'
            )
        if kwargs.get('out_dir') is not None:
            raise ValueError(
                f'AdaptationCheckpointHook: out_dir={kwargs["out_dir"]!r} is not supported, because --resume and '
                'stages look for checkpoints in the work dir: set work_dir instead'
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
        """Check the intervals, and delete the checkpoints that an interrupted run had no time to delete."""
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
        """Validate a resumed checkpoint whose validation was interrupted."""
        if not runner.iter or runner.val_loop is None or runner.iter < runner.val_begin:
            return
        due = runner.iter % runner.val_interval == 0 or runner.iter == runner.max_iters
        if due and from_main(lambda: RunRecord(runner.work_dir).validated) != runner.iter:
            runner.logger.info(
                f'there is no record that the validation after iteration {runner.iter} was completed: it is repeated'
            )
            self.last_ckpt = os.path.join(self.out_dir, self.filename_tmpl.format(runner.iter))
            runner.val_loop.run()

    def after_val(self, runner: Runner) -> None:
        """Record that the validation is complete."""
        if is_main_process() and is_training(runner):
            RunRecord(runner.work_dir).note_validated(runner.iter)

    def save(self, runner: Runner, iteration: int) -> str:
        """Save a checkpoint between two regular ones, and return its path.

        All processes must call it. Nothing is written if the checkpoint was saved already.

        Args:
            runner: The runner.
            iteration: Number of finished iterations of the training.
        """
        path = os.path.join(self.out_dir, self.filename_tmpl.format(iteration))
        if self.last_ckpt != path:
            self._save_checkpoint_with_step(runner, iteration, dict(epoch=runner.epoch, iter=iteration))
        return path

    def _find_best(self, runner: Runner) -> None:
        """Replace the paths of the best checkpoints by paths in the folder of this run.

        The folder can have moved, or the run can continue from a checkpoint of another folder. mmengine would delete
        the best checkpoint there when it finds a better one.
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
            runner.message_hub.update_info(OUTDATED, outdated)  # for a run that is killed before it deletes them
        self.max_keep_ckpts = -1  # mmengine would delete old checkpoints before it writes the new one
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = keep
        self._remove(outdated)

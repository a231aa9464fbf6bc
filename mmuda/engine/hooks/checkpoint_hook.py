"""Checkpoints of which one is complete at any time."""

import os
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmuda.constants import LABEL_FREE_PREFIX, LABEL_FREE_SCORES
from mmuda.internals import kept_checkpoints

RULES = {f'{LABEL_FREE_PREFIX}/{name}': rule for name, rule in LABEL_FREE_SCORES.items()}
"""Which values of scores without labels are the better ones."""

GREATER = ('mIoU', 'IoU', 'mDice', 'mFscore', 'mPrecision', 'mRecall', 'acc', 'top', 'AR@', 'auc', 'precision', 'mAP')
LESS = ('loss',)
"""The same for parts of the names of other scores."""


@HOOKS.register_module()
class AdaptationCheckpointHook(CheckpointHook):
    """mmengine's :class:`CheckpointHook` that deletes an old checkpoint only after the new one is on the disk.

    Args as in mmengine. ``save_best`` may name scores without labels of the target, ``'label_free/IM'`` (see
    :class:`LabelFreeMetric`); ``rule`` is known for them.

    Raises:
        ValueError: Before training, if checkpoints (or the best one, after a validation) would be written where
            gradients are gathered over ``optim_wrapper.accumulative_counts`` iterations: they are not saved, so such a
            checkpoint could not be resumed exactly. Also for ``by_epoch=True``.
    """

    max_keep_ckpts: int

    def __init__(self, interval: int = -1, by_epoch: bool = False, **kwargs: Any) -> None:
        if by_epoch:
            raise ValueError(
                'AdaptationCheckpointHook counts iterations: by_epoch=True makes no sense for an endless stream'
            )
        kwargs.setdefault('greater_keys', [*GREATER, *(name for name, rule in RULES.items() if rule == 'greater')])
        kwargs.setdefault('less_keys', [*LESS, *(name for name, rule in RULES.items() if rule == 'less')])
        super().__init__(interval=interval, by_epoch=False, **kwargs)

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        gathered = getattr(runner.optim_wrapper, 'accumulative_counts', 1)
        when = {'default_hooks.checkpoint.interval': self.interval}
        if self.save_best:
            when['train_cfg.val_interval'] = runner.val_interval
        for key, interval in when.items():
            if interval > 0 and interval % gathered:
                raise ValueError(f'{key}={interval} must be a multiple of optim_wrapper.accumulative_counts={gathered}')

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
        self.max_keep_ckpts = -1  # mmengine would delete first and write then
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts = keep
        if is_main_process():
            for old in outdated:
                path = os.path.join(self.out_dir, self.filename_tmpl.format(old))
                if self.file_backend.isfile(path):
                    self.file_backend.remove(path)

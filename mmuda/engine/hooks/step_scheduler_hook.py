"""Schedulers that count optimizer steps."""

from mmengine.hooks import ParamSchedulerHook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class StepSchedulerHook(ParamSchedulerHook):
    """mmengine's :class:`ParamSchedulerHook` that steps schedulers after optimizer steps instead of iterations.

    With gradient accumulation, the papers (AdaptSegNet's ``iter_size``) keep the learning rate constant over the
    iterations of one step, and count the length of the schedule in steps.
    """

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Step the schedulers if this iteration stepped the optimizers."""
        # A plain mmseg model has mmengine's own wrapper, for which every iteration counts as a step.
        if getattr(runner.optim_wrapper, 'stepped', lambda: True)():
            super().after_train_iter(runner, batch_idx, data_batch, outputs)

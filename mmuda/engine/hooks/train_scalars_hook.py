"""Training scalars stay on the device until somebody looks at them."""

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

WITHOUT_LOGGER = 50


@HOOKS.register_module()
class TrainScalarsHook(RuntimeInfoHook):
    """mmengine's :class:`RuntimeInfoHook` that reads losses once in ``interval`` iterations and not in each.

    Reading a scalar waits for the GPU. Here losses are added up on the device; at each interval their means over
    it are read in one transfer and handed on.

    Args:
        interval: Iterations between two readings; None takes that of the logger, which would otherwise log a mean again
            or miss one.

    Raises:
        FloatingPointError: From the training loop, if a loss was NaN or infinite. With a loss scaler (float16) single
            overflows are its business: then only if a loss was never finite in the interval.
    """

    def __init__(self, interval: int | None = None) -> None:
        self.wanted, self.interval = interval, interval or WITHOUT_LOGGER
        # By the names that an iteration logged: sums and numbers of finite values, and of iterations.
        self._sums: dict[tuple[str, ...], tuple[Tensor, Tensor, int]] = {}

    def before_train(self, runner: Runner) -> None:
        """Look the interval of the logger up."""
        super().before_train(runner)
        if self.wanted is None:
            loggers = (hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook))
            self.interval = next(loggers, WITHOUT_LOGGER)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None, outputs: dict | None = None
    ) -> None:
        """Add up; read at the interval and after the last iteration."""
        if outputs:
            device = next((value.device for value in outputs.values() if isinstance(value, Tensor)), 'cpu')
            values = torch.stack([torch.as_tensor(value, device=device).detach().float() for value in outputs.values()])
            finite = values.isfinite()
            sums, counts, iters = self._sums.get(tuple(outputs), (0.0, 0, 0))
            self._sums[tuple(outputs)] = (sums + values.where(finite, 0.0), counts + finite.int(), iters + 1)
        if self.every_n_inner_iters(batch_idx, self.interval) or runner.iter + 1 >= runner.max_iters:
            self.flush(runner)

    def before_gather_checkpoint(self, runner: Runner) -> None:
        """Write all values before a checkpoint is saved, so that its log history is complete."""
        self.flush(runner)

    def flush(self, runner: Runner) -> None:
        """Hand the means since the last flush to the message hub."""
        blocks, self._sums = self._sums, {}
        scaled = any(getattr(wrapper, 'scaler', None) is not None for wrapper in _wrappers(runner))
        totals: dict[str, tuple[float, float, int]] = {}
        for names, (sums, counts, iters) in blocks.items():
            sums, counts = torch.stack([sums, counts.float()]).tolist()  # the one transfer
            for name, total, count in zip(names, sums, counts, strict=True):
                before = totals.get(name, (0.0, 0.0, 0))
                totals[name] = (before[0] + total, before[1] + count, before[2] + iters)
        bad = []
        for name, (total, count, iters) in totals.items():
            if count:
                runner.message_hub.update_scalar(f'train/{name}', total / count)
            if count == 0 or (count < iters and not scaled):
                bad.append(name)
        if bad:
            raise FloatingPointError(
                f'{", ".join(sorted(bad))} became NaN or infinite in the {self.interval} iterations before iteration '
                f'{runner.iter + 1}: lower the learning rate or the loss weights, or clip gradients '
                f'(optim_wrapper.segmentor.clip_grad); the last checkpoint is in {runner.work_dir}'
            )


def _wrappers(runner: Runner) -> list:
    wrapper = runner.optim_wrapper
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]

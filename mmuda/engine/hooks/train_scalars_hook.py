"""Training scalars stay on the device until somebody looks at them."""
import math
from typing import Dict, Optional

import torch
from mmengine.hooks import RuntimeInfoHook
from mmseg.registry import HOOKS
from torch import Tensor


@HOOKS.register_module()
class TrainScalarsHook(RuntimeInfoHook):
    """mmengine's :class:`RuntimeInfoHook` that reads losses once for each ``interval`` and not in every iteration.

    Reading a scalar waits for the GPU. Here losses are added up on the device; at each interval (which should be that
    of the logger) their means over it are read in one transfer and handed on.

    Args:
        interval: Iterations between two readings.

    Raises:
        FloatingPointError: From the training loop, if a loss was NaN or infinite in the interval: what it would train
            from there on is lost anyway.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self._sums: Dict[str, Tensor] = {}
        self._counts: Dict[str, int] = {}

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs: Optional[dict] = None) -> None:
        """Add up; read at the interval and after the last iteration."""
        for key, value in (outputs or {}).items():
            value = torch.as_tensor(value).detach().float()
            self._sums[key] = self._sums[key] + value if key in self._sums else value
            self._counts[key] = self._counts.get(key, 0) + 1
        if self.every_n_inner_iters(batch_idx, self.interval) or runner.iter + 1 >= runner.max_iters:
            self.flush(runner)

    def before_gather_checkpoint(self, runner) -> None:
        """What a checkpoint says about the past is complete."""
        self.flush(runner)

    def flush(self, runner) -> None:
        """Hand the means since the last flush to the message hub."""
        if not self._sums:
            return
        sums = torch.stack(list(self._sums.values())).tolist()  # the one transfer
        named = {key: total / self._counts[key] for key, total in zip(self._sums, sums)}
        self._sums, self._counts = {}, {}
        for key, mean in named.items():
            runner.message_hub.update_scalar(f'train/{key}', mean)
        bad = sorted(key for key, mean in named.items() if not math.isfinite(mean))
        if bad:
            raise FloatingPointError(
                f'{", ".join(bad)} became NaN or infinite in the {self.interval} iterations before iteration '
                f'{runner.iter + 1}: lower the learning rate or the loss weights, or clip gradients '
                f'(optim_wrapper.segmentor.clip_grad); the last checkpoint is in {runner.work_dir}')

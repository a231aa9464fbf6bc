"""Loss weights that change during training."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmuda.ranks import unwrap


@HOOKS.register_module()
class LossWeightRampHook(Hook):
    """Hook that moves one loss weight of an adaptor linearly from a start value to an end value.

    The weight depends only on the iteration, so no state is needed for a resume.

    Args:
        name: Key of ``adaptor.loss_weights``.
        begin: First iteration of the ramp; before it the weight is ``start``.
        end: Iteration from which on the weight is ``stop``.
        start: Weight before the ramp.
        stop: Weight after the ramp; default: the weight of the adaptor before the training.

    Raises:
        ValueError: If ``begin`` is negative, or ``end`` is not after ``begin``.
        KeyError: Before training, if the adaptor has no such weight.
    """

    def __init__(self, name: str, begin: int, end: int, start: float = 0.0, stop: float | None = None) -> None:
        if begin < 0 or end <= begin:
            raise ValueError(
                f'LossWeightRampHook: begin={begin} must be at least 0, and end={end} must be after begin={begin}'
            )
        self.name, self.begin, self.end, self.start, self.stop = name, begin, end, start, stop

    def before_train(self, runner: Runner) -> None:
        """Check that the weight exists, and look up the default of ``stop``."""
        weights = self._weights(runner)
        if self.name not in weights:
            raise KeyError(f'LossWeightRampHook: no loss weight {self.name!r}, the adaptor has {sorted(weights)}')
        if self.stop is None:
            self.stop = weights[self.name]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Set the weight of this iteration."""
        assert self.stop is not None  # before_train looked it up
        done = min(max((runner.iter - self.begin) / (self.end - self.begin), 0.0), 1.0)
        self._weights(runner)[self.name] = self.start + (self.stop - self.start) * done

    @staticmethod
    def _weights(runner: Runner) -> dict:
        adaptor: Any = unwrap(runner.model)
        return adaptor.loss_weights

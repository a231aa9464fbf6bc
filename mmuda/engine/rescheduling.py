"""Resuming a training with other learning rates, or another schedule, than those of its checkpoint."""

import warnings
from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner


class ConfiguredSchedule:
    """Hyper-parameters and schedulers of a runner, as its config has them.

    A checkpoint replaces both on resume. :meth:`apply` restores those of the config and moves the schedule to the
    current step, as if it had been used from the start.

    Args:
        runner: Runner whose optimizers and schedulers are built and have not made a step.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.groups = [
            [{key: value for key, value in group.items() if key != 'params'} for group in wrapper.param_groups]
            for wrapper in optim_wrappers(runner)
        ]
        self.schedulers = [[scheduler.state_dict() for scheduler in chain] for chain in _chains(runner)]

    def apply(self, steps: int) -> str:
        """Restore the hyper-parameters and schedulers of the config.

        Args:
            steps: Number of optimizer steps so far.

        Returns:
            Learning rates before and after, for the log.
        """
        before = _learning_rates(self.runner)
        for wrapper, groups in zip(optim_wrappers(self.runner), self.groups, strict=True):
            for group, values in zip(wrapper.param_groups, groups, strict=True):
                group.update(values)
        for chain, states in zip(_chains(self.runner), self.schedulers, strict=True):
            for scheduler, state in zip(chain, states, strict=True):
                scheduler.load_state_dict(state)
            by_step = [scheduler for scheduler in chain if not scheduler.by_epoch]
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')  # PyTorch warns that the optimizer made no step in between
                for _ in range(steps):
                    for scheduler in by_step:
                        scheduler.step()
        return f'learning rates after {steps} steps: {before} in the checkpoint, {_learning_rates(self.runner)} now'


def optim_wrappers(runner: Runner) -> list[Any]:
    """Return the optimizer wrappers of a runner: one for each module of an adaptor, otherwise a single one."""
    wrapper = runner.optim_wrapper
    return list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]


def _chains(runner: Runner) -> list[list[Any]]:
    """Return the schedulers of each optimizer."""
    schedulers = runner.param_schedulers
    if isinstance(schedulers, dict):
        return [list(chain) for chain in schedulers.values()]
    return [list(schedulers or [])]


def _learning_rates(runner: Runner) -> str:
    rates = [f'{wrapper.param_groups[0]["lr"]:.4g}' for wrapper in optim_wrappers(runner) if wrapper.param_groups]
    return ', '.join(rates)

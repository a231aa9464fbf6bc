"""Budget of a comparison: the same number of iterations for all methods."""

import copy
import math
from dataclasses import replace
from typing import Any

from .methods import Method

LENGTHS = ('end', 'warmup', 'T_max', 'step_size', 'total_iters')
"""Arguments of schedulers that are numbers of iterations."""


def set_budget(method: Method, iterations: int) -> Method:
    """Return a copy of a method whose trainings are scaled to a total number of iterations.

    Learning rate schedules and the intervals of validations and checkpoints are scaled by the same factor. Numbers of
    iterations that belong to the method, such as those of a ramp of a loss weight, stay as they are.

    Args:
        method: Method to copy; it stays as it is.
        iterations: Iterations of all its trainings together.

    Raises:
        ValueError: If a training has no ``max_iters``, or if there are fewer iterations than trainings.
    """
    before = method.iterations()
    if before is None:
        raise ValueError(
            f'{method.name}: a budget of iterations needs trainings whose length is train_cfg.max_iters; those of this '
            'config are measured in epochs. Compare it without --budget, or write a config of another length'
        )
    if iterations < len(method.trainings):
        raise ValueError(f'{method.name}: {iterations} iterations are too few for {len(method.trainings)} trainings')
    factor = iterations / before
    cfg = copy.deepcopy(method.cfg)
    _scale(cfg, factor)
    for entry in cfg.get('stages', ()):
        stage = cfg[entry] if isinstance(entry, str) else entry
        _scale(stage.get('overrides') or {}, factor)
    return replace(method, cfg=cfg)


def _scale(node: Any, factor: float) -> None:
    """Scale the lengths in a config, or in the overrides of a stage."""
    loop = node.get('train_cfg') or {}
    for key in ('max_iters', 'val_interval'):
        if key in loop:
            loop[key] = max(1, round(loop[key] * factor))
    saver = (node.get('default_hooks') or {}).get('checkpoint') or {}
    if 'interval' in saver:
        saver['interval'] = max(1, round(saver['interval'] * factor))
    schedulers = node.get('param_scheduler') or []
    for scheduler in schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]:
        for key in LENGTHS:
            if scheduler.get(key) is not None and scheduler[key] != math.inf:
                scheduler[key] = math.ceil(scheduler[key] * factor)
        if scheduler.get('begin'):
            scheduler['begin'] = round(scheduler['begin'] * factor)
        if 'milestones' in scheduler:
            scheduler['milestones'] = [round(step * factor) for step in scheduler['milestones']]

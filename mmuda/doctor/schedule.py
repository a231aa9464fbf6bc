"""Plan of a training in numbers: iterations, passes over the data, validations, checkpoints."""

import math
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner.utils import calc_dynamic_intervals
from mmseg.registry import DATASETS, LOOPS

from mmuda.checks.finding import of_stage
from mmuda.checks.registries import find
from mmuda.checks.signatures import default_of
from mmuda.checks.values import COUNT
from mmuda.constants import TARGET_LABELLED
from mmuda.datasets.pairs.domain_pair import DomainPairDataset
from mmuda.stages import RoundStage, build_stages

from .findings import trainings
from .rows import ERROR, OK, SKIPPED, WARNING, Row, Section, count

WARMUP_SHARE = 3
"""A warm-up gives a warning if it takes more than 1 / WARMUP_SHARE of the iterations."""


@dataclass(frozen=True)
class Plan:
    """Length of a training.

    Attributes:
        iterations: Number of iterations; None if it follows from results of earlier stages.
        validations: Number of validations.
        images: Number of images of one validation; 0 if it is not known.
        checkpoints: Largest number of checkpoints on the disk at a time, the best one included.
    """

    iterations: int | None
    validations: int
    images: int
    checkpoints: int


def plan_of(cfg: Config, lengths: Mapping[str, int], place: str = '') -> Plan:
    """Return the plan of a training.

    Args:
        cfg: Config of the training.
        lengths: Known numbers of images by place of the data set in the config.
        place: Prefix of these places, see :func:`of_stage`.
    """
    loop = cfg.get('train_cfg') or {}
    iterations = _whole(loop.get('max_iters'))
    steps = iterations if iterations is not None else _whole(loop.get('max_epochs')) or 0
    if iterations is None and steps:
        images = _epoch(cfg.train_dataloader.get('dataset'), lengths, f'{place}train_dataloader.dataset')
        iterations = steps * math.ceil(images / cfg.train_dataloader.get('batch_size', 1)) if images else None
    validations = 0 if cfg.get('val_dataloader') is None else _validations(loop, steps)
    images = images_at(lengths, f'{place}val_dataloader.dataset')
    return Plan(iterations, validations, images, _checkpoints(cfg, steps, validations))


def _whole(value: Any) -> Any:
    """Return a whole number that is written as a float, such as 1e4, as an int; any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _interval(loop: Mapping) -> Any:
    """Return the steps between validations; without ``val_interval``, the default of the loop."""
    if 'val_interval' in loop:
        return _whole(loop['val_interval'])
    kind = find(loop.get('type'), LOOPS)
    usual = EpochBasedTrainLoop if 'max_epochs' in loop else IterBasedTrainLoop
    return default_of(kind if isinstance(kind, type) else usual, 'val_interval')


def _validations(loop: Mapping, steps: Any) -> int:
    """Return how often mmengine validates: at each multiple of the interval at that step, and at the last step."""
    begin = max(_whole(loop.get('val_begin', 1)), 1)
    milestones, intervals = calc_dynamic_intervals(_interval(loop), loop.get('dynamic_intervals'))
    if not COUNT.holds(steps) or not all(map(COUNT.holds, intervals)):
        return 0
    ends = [*(milestone - 1 for milestone in milestones[1:]), steps + 1]  # mmengine compares with the next step
    found, first = 0, begin
    for each, end in zip(intervals, ends, strict=True):
        last = min(end - 1, steps)
        found += max(last // each - (first - 1) // each, 0)
        first = max(first, end)
    return found + (steps % intervals[bisect(milestones, steps + 1) - 1] != 0 and steps >= begin)


def _epoch(node: Any, lengths: Mapping[str, int], place: str) -> int:
    """Return the number of items in an epoch of a data set: for pairs, that of the longer domain; 0 if unknown."""
    kind = find(node.get('type'), DATASETS) if isinstance(node, Mapping) else None
    if isinstance(kind, type) and issubclass(kind, DomainPairDataset):
        sides = [_epoch(node.get(side), lengths, f'{place}.{side}') for side in ('source', 'target')]
        return max(sides) if all(sides) else 0
    return images_at(lengths, place)


def images_at(lengths: Mapping[str, int], place: str) -> int:
    """Return the number of images of a data set, inner data sets included; 0 if it is not known."""
    return sum(length for key, length in lengths.items() if key == place or key.startswith(f'{place}.'))


def examine_schedules(cfg: Config, lengths: Mapping[str, int]) -> Section:
    """Describe the schedules of all trainings of a config in numbers.

    Args:
        cfg: The config, without the wrong keys that prevent its use.
        lengths: Known numbers of images by place of the data set in the config.
    """
    section = Section('schedule')
    follows = (
        {stage.name for stage in build_stages(cfg) if isinstance(stage, RoundStage)}
        if cfg.get('runner_type') == 'StagedRunner'
        else set()
    )
    for name, training in trainings(cfg):
        plan = plan_of(training, lengths, of_stage(name))
        prefix = f'{name}: ' if name else ''
        rows = [Row('length', 'follows from the images of the round', SKIPPED)] if name in follows else None
        section.rows += [
            Row(f'{prefix}{row.item}', row.found, row.verdict, row.remedy)
            for row in rows or _rows(training, plan, lengths, of_stage(name))
        ]
        section.facts[name or 'training'] = asdict(plan)
    return section


def _rows(cfg: Config, plan: Plan, lengths: Mapping[str, int], place: str) -> Iterator[Row]:
    loop = cfg.get('train_cfg')
    if not isinstance(loop, Mapping) or plan.iterations is None and 'max_epochs' not in loop:
        yield Row('length', 'is not known: train_cfg has no max_iters', ERROR, 'set train_cfg.max_iters')
        return
    loader = cfg.get('train_dataloader') or {}
    batch = loader.get('batch_size', 1)
    if plan.iterations is not None:
        gathered = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
        steps = f', gradients of {gathered} iterations for each step' if gathered != 1 else ''
        passes = ', '.join(
            f'{plan.iterations * batch / images:.1f} passes over {side}'
            for side in ('source', 'target', TARGET_LABELLED)
            if (images := images_at(lengths, f'{place}train_dataloader.dataset.{side}'))
        )
        told = f'{count(plan.iterations, "iteration")} with a batch of {batch} on each process{steps}'
        yield Row('length', f'{told}: {passes}' if passes else told)
    else:
        yield Row('length', count(_whole(loop['max_epochs']), 'epoch'))
    yield from _validation(cfg, plan, loop)
    yield _rate(cfg.get('param_scheduler'), plan.iterations)
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    yield _saving(hook, 'iterations' if 'max_iters' in loop else 'epochs')


def _saving(hook: Mapping, unit: str) -> Row:
    interval, kept = _whole(hook.get('interval')), hook.get('max_keep_ckpts', -1)
    if not COUNT.holds(interval):
        return Row('checkpoints', 'default_hooks.checkpoint.interval is not a number of at least 1', SKIPPED, 'set it')
    best = f', and the best by {hook["save_best"]}' if hook.get('save_best') else ''
    return Row('checkpoints', f'every {interval} {unit}, {"all" if kept == -1 else f"the last {kept}"} are kept{best}')


def _validation(cfg: Config, plan: Plan, loop: Any) -> Iterator[Row]:
    if cfg.get('val_dataloader') is None:
        yield Row('validation', 'none', WARNING, 'give val_dataloader, val_cfg and val_evaluator to see the progress')
    elif not plan.validations:
        found = f'none: val_begin is {loop.get("val_begin", 1)}, the training is shorter'
        yield Row('validation', found, WARNING, 'set train_cfg.val_begin to at most its length')
    else:
        of = f', {count(plan.images, "image")} each' if plan.images else ''
        yield Row('validation', f'{count(plan.validations, "time")}, every {_interval(loop)}, and at the end{of}', OK)


def _unit(scheduler: Mapping) -> str:
    return 'epochs' if scheduler.get('by_epoch', True) else 'iterations'


def _rate(node: Any, iterations: Any) -> Row:
    """Return the row of the schedulers of the learning rate, with a warning if the warm-up is long."""
    nodes = [one for one in (node if isinstance(node, (list, tuple)) else [node]) if isinstance(one, Mapping)]
    told = ', then '.join(
        f'{one.get("type")}, {_unit(one)} {one.get("begin", 0)} to {one.get("end", "the last")}'
        for one in nodes
        if 'type' in one
    )
    found = told or 'constant, or by module'
    place, warmup = max(enumerate(map(_warmup, nodes)), key=lambda item: item[1], default=(0, 0))
    if not COUNT.holds(iterations) or WARMUP_SHARE * warmup <= iterations:
        return Row('learning rate', found)
    key = f'param_scheduler.{place}.{"warmup" if "warmup" in nodes[place] else "end"}'
    return Row(
        'learning rate',
        f'{found}; the warm-up takes {warmup} of {iterations} iterations',
        WARNING,
        f'set {key} to about a tenth of the iterations, such as {max(iterations // 10, 1)}',
    )


def _warmup(scheduler: Mapping) -> int:
    """Return the iterations of the warm-up of a scheduler: ``warmup``, or the length of a rising ``LinearLR``."""
    if scheduler.get('type') == 'LinearLR' and not scheduler.get('by_epoch', True):
        rises = scheduler.get('start_factor', 1 / 3) < scheduler.get('end_factor', 1.0)
        length = _whole(scheduler.get('end', 0)) - _whole(scheduler.get('begin', 0)) if rises else 0
    else:
        length = _whole(scheduler.get('warmup', 0))
    return length if COUNT.holds(length) else 0


def _checkpoints(cfg: Config, steps: Any, validations: int) -> int:
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    interval, kept = _whole(hook.get('interval', 1)), hook.get('max_keep_ckpts', -1)
    saved = math.ceil(steps / interval) if COUNT.holds(steps) and COUNT.holds(interval) else 1
    # The oldest checkpoint is deleted only after the new one is on the disk.
    together = saved if kept == -1 else min(saved, kept + 1)
    return together + bool(hook.get('save_best') and validations)

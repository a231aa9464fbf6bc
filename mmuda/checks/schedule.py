"""Checks of loops, schedules and hooks: the training ends, is saved, and its learning rate is not zero before."""

import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.optim import CosineAnnealingParamScheduler, PolyParamScheduler
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmseg.registry import DATA_SAMPLERS, HOOKS, LOOPS, PARAM_SCHEDULERS

from mmuda.datasets.pairs.streams import StreamSampler
from mmuda.internals import DEFAULT_HOOKS

from .finding import WARNING, Finding, dict_of, joined, short, unknown_key
from .keys import MARKS, check_built, check_component
from .registries import find, unknown_type
from .signatures import default_of
from .values import COUNT, NUMBER, check_rule, whole

DECAYING = (PolyParamScheduler, CosineAnnealingParamScheduler)
"""Schedulers that reach their lowest value at their end and stay there."""


def check_loop(cfg: Config) -> Iterator[Finding]:
    """Check that the training loop ends, and fits the sampler."""
    loop = cfg.get('train_cfg')
    if not isinstance(loop, Mapping):
        yield Finding(
            'train_cfg', f'is {short(loop)}', "a dict such as dict(type='IterBasedTrainLoop', max_iters=1000)"
        )
        return
    by_epoch = loop.get('by_epoch', True)
    name = loop.get('type', 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop')
    node = {'type': name, **{key: value for key, value in loop.items() if key != 'by_epoch'}}
    yield from check_component('train_cfg', node, 'train_cfg', LOOPS)
    kind = find(name, LOOPS) or find(name, ROOT_LOOPS)
    if not isinstance(kind, type):
        yield unknown_type('train_cfg', name, LOOPS)
        return
    for base, length in ((IterBasedTrainLoop, 'max_iters'), (EpochBasedTrainLoop, 'max_epochs')):
        if issubclass(kind, base) and length not in loop:
            yield Finding(f'train_cfg.{length}', 'is missing', 'the length of the training')
    for key in ('max_iters', 'val_interval', 'max_epochs'):
        if key in loop and loop[key] is None:
            yield from filter(None, [check_rule(f'train_cfg.{key}', None, COUNT)])
    yield from _check_dynamic(loop.get('dynamic_intervals'))
    sampler = _sampler(cfg.get('train_dataloader'))
    if (
        issubclass(kind, EpochBasedTrainLoop)
        and sampler is not None
        and issubclass(sampler, (StreamSampler, InfiniteSampler))
    ):
        yield Finding(
            'train_cfg.type',
            f'an {kind.__name__} never ends its first epoch with the {sampler.__name__}, which draws without end',
            remedy="use dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...)",
        )


def _check_dynamic(pairs: Any) -> Iterator[Finding]:
    """Check ``train_cfg.dynamic_intervals``, the changes of the validation interval.

    mmengine accepts only tuples, and fails with an assertion that has no message.
    """
    if pairs is None:
        return
    right = isinstance(pairs, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 and all(map(COUNT.holds, pair)) for pair in pairs
    )
    if not right or [first for first, _ in pairs] != sorted({first for first, _ in pairs}):
        yield Finding(
            'train_cfg.dynamic_intervals',
            f'is {short(pairs)}',
            'a list of tuples (iteration, interval from there on), iterations ascending, such as [(9000, 100)]',
        )


def check_schedulers(cfg: Config, length_follows: bool = False) -> Iterator[Finding]:
    """Check each scheduler: it begins, it does not leave a learning rate of zero early, and it counts as the loop does.

    Args:
        cfg: Config of a training.
        length_follows: Whether the training computes its own length, as a round of self-training does. It then also
            sets the end of schedulers that have none.
    """
    schedulers = cfg.get('param_scheduler', ())
    if schedulers is None:
        yield Finding('param_scheduler', 'is None', 'a list', '[] keeps the learning rate constant')
        return
    if isinstance(schedulers, Mapping):
        if 'type' not in schedulers:  # one entry for each module
            for name, part in schedulers.items():
                yield from _check_list(
                    f'param_scheduler.{name}', part if isinstance(part, list) else [part], cfg, length_follows
                )
            return
        yield from _check_list('param_scheduler', [schedulers], cfg, length_follows, alone=True)
    else:
        yield from _check_list('param_scheduler', schedulers, cfg, length_follows)


def check_hooks(cfg: Config) -> Iterator[Finding]:
    """Check that hooks exist, and that the training is saved."""
    hooks = cfg.get('default_hooks') or {}
    if not isinstance(hooks, Mapping):
        yield Finding('default_hooks', f'is {short(hooks)}', 'a dict of hooks by name')
        hooks = {}
    for name, hook in hooks.items():
        place = f'default_hooks.{name}'
        if name in MARKS:
            continue
        if name not in DEFAULT_HOOKS and not _is_own_hook(name, hook):
            yield unknown_key('default_hooks', name, 'the runner', DEFAULT_HOOKS)
            continue
        if hook is None:
            continue
        node = {'type': DEFAULT_HOOKS[name], **hook} if isinstance(hook, Mapping) and name in DEFAULT_HOOKS else hook
        yield from check_component(place, node, 'default_hooks', HOOKS)
        yield from _check_intervals(place, node)
        yield from check_built(place, node, HOOKS)
    if 'checkpoint' in hooks and hooks['checkpoint'] is None:
        remedy = 'to save only the end, set its interval to train_cfg.max_iters'
        yield Finding('default_hooks.checkpoint', 'is None, so that nothing is ever saved', 'a dict', remedy)
    custom = cfg.get('custom_hooks', ())
    if not isinstance(custom, (list, tuple)):
        yield Finding('custom_hooks', f'is {short(custom)}', 'a list of hooks', '[] has none')
        return
    yield from check_component('custom_hooks', custom, 'custom_hooks', HOOKS)
    for number, hook in enumerate(custom):
        yield from _check_intervals(f'custom_hooks.{number}', hook)
        yield from check_built(f'custom_hooks.{number}', hook, HOOKS)
    if cfg.get('runner_type') == 'AdaptationRunner' and not any(
        isinstance(hook, Mapping) and hook.get('type') == 'RandomStateHook' for hook in custom
    ):
        remedy = 'a resumed run will not equal one that was never interrupted'
        yield Finding('custom_hooks', 'there is no RandomStateHook', remedy=remedy, level=WARNING)


def _is_own_hook(name: str, hook: Any) -> bool:
    """Return whether a key of ``default_hooks`` adds a hook under a new name, and is no misspelt name of mmengine."""
    meant = get_close_matches(name, DEFAULT_HOOKS, 1, 0.8)
    if hook is None or not isinstance(hook, Mapping):
        return hook is None and not meant
    if 'type' not in hook or not meant:
        return 'type' in hook
    kind, usual = find(hook['type'], HOOKS), find(DEFAULT_HOOKS[meant[0]], HOOKS)
    return isinstance(kind, type) and not issubclass(kind, usual)


def steps_of(cfg: Config) -> int | None:
    """Return how often the optimizers step in a training; None if its length is not a number of iterations."""
    iters = dict_of(cfg, 'train_cfg').get('max_iters')
    iters = int(iters) if isinstance(iters, float) and iters.is_integer() else iters
    gathered = dict_of(cfg, 'optim_wrapper').get('accumulative_counts', 1)
    return math.ceil(iters / gathered) if COUNT.holds(iters) and COUNT.holds(gathered) else None


def _check_list(
    place: str, schedulers: Any, cfg: Config, length_follows: bool, alone: bool = False
) -> Iterator[Finding]:
    if not isinstance(schedulers, (list, tuple)):
        yield Finding(place, f'is {short(schedulers)}', 'a list of schedulers')
        return
    steps = None if length_follows else steps_of(cfg)
    by_iters = 'max_iters' in dict_of(cfg, 'train_cfg')
    for number, node in enumerate(schedulers):
        where = place if alone else joined(place, number)
        if not isinstance(node, Mapping):
            yield Finding(where, f'is {short(node)}', "a dict such as dict(type='PolyLR', ...)")
            continue
        yield from check_component(where, node, 'param_scheduler', PARAM_SCHEDULERS)
        kind = find(node.get('type'), PARAM_SCHEDULERS)
        if not isinstance(kind, type):
            yield Finding(joined(where, 'type'), f'there is no scheduler {short(node.get("type"))}')
            continue
        if by_iters and node.get('by_epoch', default_of(kind, 'by_epoch')) and not node.get('convert_to_iter_based'):
            yield Finding(
                joined(where, 'by_epoch'),
                'counts epochs (the default), but the training counts iterations: the rate would never change',
                'False',
            )
            continue
        counted = None if node.get('convert_to_iter_based') else steps  # otherwise begin and end count epochs
        yield from _check_reach(where, node, kind, counted, length_follows, later=schedulers[number + 1 :])


def _check_reach(
    where: str, node: Mapping, kind: type, steps: int | None, length_follows: bool, later: Any
) -> Iterator[Finding]:
    begin, end = node.get('begin', 0), node.get('end', math.inf)
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (begin, end))
    if not numbers:
        if end is None:
            yield Finding(joined(where, 'end'), 'is None', 'a whole number')
        return
    if begin < 0 or begin >= end:
        yield Finding(
            joined(where, 'begin'), f'is {begin}, the end is {end}', 'a begin of at least 0 and before the end'
        )
        return
    if issubclass(kind, DECAYING) and end == math.inf and not length_follows and 'T_max' not in node:
        yield Finding(
            joined(where, 'end'), 'is missing, so that the value never changes', 'the number of optimizer steps'
        )
    if steps is None:
        return
    if begin >= steps:
        yield Finding(
            joined(where, 'begin'),
            f'is {begin}, but the training has {steps} optimizer steps',
            'a begin below that number',
        )
    taken_over = any(isinstance(one, Mapping) and (one.get('end') or math.inf) >= steps for one in later)
    if issubclass(kind, DECAYING) and end < steps and not taken_over and _ends_at_zero(node, kind):
        yield Finding(
            joined(where, 'end'),
            f'is {end}, but the training has {steps} optimizer steps: the rate would be 0.0 for the rest',
            f'at least {steps + 1}',
        )


def _ends_at_zero(node: Mapping, kind: type) -> bool:
    """Return whether a scheduler leaves a learning rate of zero."""
    of_rate = issubclass(kind, LRSchedulerMixin) or node.get('param_name') == 'lr'
    lowest = (node.get(key, default_of(kind, key)) for key in ('eta_min', 'eta_min_ratio'))
    return of_rate and not any(lowest)


def _check_intervals(place: str, node: Any) -> Iterator[Finding]:
    kind = find(node.get('type'), HOOKS) if isinstance(node, Mapping) else None
    if not isinstance(kind, type):
        return
    saver = issubclass(kind, CheckpointHook)
    plain = saver and not kind.__module__.startswith('mmuda.')
    if 'interval' in node and (saver or issubclass(kind, LoggerHook) or kind.__module__.startswith('mmuda.')):
        if node['interval'] is not None or saver:
            # mmengine's CheckpointHook saves nothing during the training if the interval is not above 0.
            found = check_rule(joined(place, 'interval'), node['interval'], NUMBER if plain else COUNT)
            if found is not None:
                remedy = 'to save only the end, set it to train_cfg.max_iters' if saver else ''
                yield Finding(found.key, found.found, found.expected, remedy)
    if saver and not plain and 'max_keep_ckpts' in node:
        keep = node['max_keep_ckpts']
        if not whole(keep) or (keep < 1 and keep != -1):
            yield Finding(
                joined(place, 'max_keep_ckpts'), f'is {short(keep)}', 'a whole number of at least 1, or -1 to keep all'
            )


def _sampler(loader: Any) -> type | None:
    node = loader.get('sampler') if isinstance(loader, Mapping) else None
    kind = find(node.get('type'), DATA_SAMPLERS) if isinstance(node, Mapping) else None
    return kind if isinstance(kind, type) else None

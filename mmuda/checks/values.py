"""Checks of single values: the type of an argument, and the range of a number by the name of its argument."""

import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils.data import Dataset

from .finding import Finding, joined, short
from .signatures import declared_by, parameters_of

NAMES = dict(
    none='None',
    bool='True or False',
    int='a whole number',
    float='a number',
    str='a string',
    seq='a list',
    map='a dict',
)
"""Kinds of plain values, and their names in messages."""


def whole(value: Any) -> bool:
    """Return whether a value is a whole number, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Any) -> bool:
    """Return whether a value is a finite number, and not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class Rule(NamedTuple):
    """A condition on the values of an argument.

    Attributes:
        holds: Function that returns whether a value is allowed.
        expected: The allowed values in words.
        each: Whether a list of allowed values is allowed as well.
    """

    holds: Callable[[Any], bool]
    expected: str
    each: bool = False


COUNT = Rule(lambda value: whole(value) and value >= 1, 'a whole number of at least 1')
NUMBER = Rule(number, 'a number')
COUNTS = Rule(COUNT.holds, COUNT.expected, each=True)
COUNT_OR_0 = Rule(lambda value: whole(value) and value >= 0, 'a whole number of at least 0')
SHARE = Rule(lambda value: number(value) and 0 <= value <= 1, 'a number from 0 to 1')
SHARES = Rule(SHARE.holds, SHARE.expected, each=True)
AT_MOST_1 = Rule(lambda value: number(value) and value <= 1, 'a number of at most 1')
INSIDE = Rule(lambda value: number(value) and 0 < value < 1, 'a number between 0 and 1')
DECAYING = Rule(lambda value: number(value) and 0 <= value < 1, 'a number of at least 0 and below 1')
POSITIVE = Rule(lambda value: number(value) and value > 0, 'a finite number above 0')
NOT_NEGATIVE = Rule(lambda value: number(value) and value >= 0, 'a finite number of at least 0')
WEIGHT = Rule(NOT_NEGATIVE.holds, NOT_NEGATIVE.expected, each=True)

RULES: dict[str, Rule] = {
    **dict.fromkeys(('max_iters', 'max_epochs', 'batch_size', 'num_rounds', 'epochs_per_round', 'num_classes'), COUNT),
    **dict.fromkeys(('val_interval', 'accumulative_counts', 'prefetch_factor', 'window_size', 'rate'), COUNT),
    **dict.fromkeys(('base_channels', 'stem_channels', 'in_channels', 'channels', 'embed_dims', 'dilations'), COUNTS),
    **dict.fromkeys(('crop_size', 'stride'), COUNTS),
    **dict.fromkeys(('num_workers', 'val_begin', 'warmup'), COUNT_OR_0),
    **dict.fromkeys(('probability', 'portion', 'drop_path_rate', 'decay'), SHARE),
    'prob': SHARES,  # mmcv's RandomFlip takes one for each direction
    'dropout_ratio': AT_MOST_1,  # mmseg's heads drop nothing if it is not above 0
    'easy': INSIDE,
    **dict.fromkeys(('lr_decay', 'cache_bytes'), POSITIVE),
    **dict.fromkeys(('weight_decay', 'lr_mult', 'decay_mult', 'snapshot_every', 'eta_min', 'power'), NOT_NEGATIVE),
    'loss_weight': WEIGHT,
    'std': Rule(POSITIVE.holds, 'numbers above 0', each=True),
    'mean': Rule(number, 'numbers', each=True),
}
"""Rules by the name of an argument, for components of mmuda, mmseg, mmcv, mmengine and PyTorch.

They do not apply to None, which only the type of an argument allows or forbids.
"""

OWN_RULES: dict[str, Rule] = {'threshold': SHARE, 'size_divisor': COUNT, 'size': COUNTS}
"""Further rules for components of mmuda alone. In mmseg, for example, a threshold can be one of logits."""

OPTIMIZER: dict[str, Rule] = {
    'lr': POSITIVE,
    'momentum': DECAYING,
    'betas': Rule(DECAYING.holds, 'two numbers of at least 0 and below 1', each=True),
    'weight_decay': NOT_NEGATIVE,
    'eps': POSITIVE,
}
"""Rules for arguments of optimizers, by name. Here None is not allowed either."""

FAMILIES = ('mmuda', 'mmseg', 'mmcv', 'mmengine', 'torch')


def check_rule(place: str, value: Any, rule: Rule) -> Finding | None:
    """Return a finding if a value breaks a rule, else None. A dict passes, because it is the config of a component."""
    values = value if rule.each and isinstance(value, (list, tuple)) else [value]
    if isinstance(value, dict) or all(rule.holds(one) for one in values):
        return None
    return Finding(
        place,
        f'is {short(value)}',
        rule.expected + (', or a list of them' if rule.each and rule.expected.startswith('a ') else ''),
    )


def check_argument(place: str, key: str, value: Any, component: Any) -> Finding | None:
    """Return a finding if the value of an argument does not fit its annotation or the rule of its name, else None."""
    annotation, default = parameters_of(component).known.get(key, (inspect.Parameter.empty, inspect.Parameter.empty))
    where = joined(place, key)
    if isinstance(value, float) and math.isnan(value):
        return Finding(where, 'is nan', 'a number')
    kinds = _kinds(annotation)
    if annotation is inspect.Parameter.empty and _is_strange(value, default):
        return Finding(where, f'is {short(value)}', NAMES[_kind(default)])
    package, ours = package_of(component), is_own(component)
    if kinds is not None:
        if default is not inspect.Parameter.empty:
            kinds = kinds | {_kind(default)}
        exact = is_own(declared_by(component, key))
        if not exact and kinds & {'map', 'seq'}:
            kinds = kinds | {'map', 'seq'}  # annotations of mmengine and mmseg confuse dicts and lists
        kind = _kind(value)
        if kind != 'other' and kind not in kinds and not _is_as_good(kind, value, kinds, exact):
            names = [name for family, name in NAMES.items() if family in kinds]
            return Finding(where, f'is {short(value)}', ' or '.join(names))
    rule = RULES.get(key) if package in FAMILIES else None
    if ours:
        rule = OWN_RULES.get(key, rule)
    elif isinstance(value, float) and rule in (COUNT, COUNTS, COUNT_OR_0) and value.is_integer():
        value = int(value)
    return None if rule is None or value is None else check_rule(where, value, rule)


def _is_strange(value: Any, default: Any) -> bool:
    """Return whether a plain value is of another kind than the default.

    This check is for arguments without annotation, which are common in mmseg.
    """
    kind, usual = _kind(value), _kind(default)
    if kind == 'str':
        return usual in ('bool', 'int', 'float')
    if kind in ('int', 'float'):
        return usual == 'str' or (usual == 'bool' and value not in (0, 1))
    return kind == 'bool' and usual == 'str'


def package_of(component: Any) -> str:
    """Return the top-level package of a class or function."""
    return getattr(component, '__module__', '').partition('.')[0]


def is_own(component: Any) -> bool:
    """Return whether a class or function is one of mmuda, whose annotations are exact."""
    return package_of(component) == 'mmuda'


def _is_as_good(kind: str, value: Any, kinds: frozenset[str], exact: bool) -> bool:
    """Return whether a number is accepted although its kind differs from the annotation.

    mmseg annotates arguments as ``int`` for which its configs give 0.03. Also, 1e4 can replace 10000, and 1 True.
    """
    if kind == 'int' and 'float' in kinds:
        return True
    return not exact and (
        (kind == 'float' and 'int' in kinds) or (kind == 'int' and 'bool' in kinds and value in (0, 1))
    )


def _kind(value: Any) -> str:
    kinds: Sequence[tuple[Any, str]] = (
        (type(None), 'none'),
        (bool, 'bool'),
        (int, 'int'),
        (float, 'float'),
        (str, 'str'),
        ((list, tuple, set), 'seq'),
        (Mapping, 'map'),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), 'other')


def _kinds(annotation: Any) -> frozenset[str] | None:
    """Return the kinds of plain values that an annotation allows; None if it allows any or cannot be interpreted."""
    if annotation is inspect.Parameter.empty or annotation is Any or isinstance(annotation, (str, typing.TypeVar)):
        return None
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        parts = [_kinds(part) for part in typing.get_args(annotation)]
        return None if None in parts else frozenset().union(*(part for part in parts if part is not None))
    if origin is typing.Literal:
        return frozenset(_kind(value) for value in typing.get_args(annotation))
    if annotation is numbers.Number:
        return frozenset({'int', 'float'})
    plain = {type(None): 'none', bool: 'bool', int: 'int', float: 'float', str: 'str', Path: 'str'}
    if annotation in plain:
        return frozenset({plain[annotation]})
    kind = origin or annotation
    if not inspect.isclass(kind):
        return None
    if issubclass(kind, Tensor):
        return frozenset()
    if issubclass(kind, (Mapping, Dataset)):
        return frozenset({'map'})
    if issubclass(kind, (list, tuple, set)) or kind in (Sequence, typing.Collection, typing.Iterable):
        return frozenset({'seq'})
    return None if kind in (object, type) or not kind.__module__ else frozenset({'map', 'str', 'seq'})

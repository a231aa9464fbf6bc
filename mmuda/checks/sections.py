"""Checks of the parts of a config that have no ``type``: dicts and switches that the runner reads itself."""

import logging
import multiprocessing
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from .finding import Finding, dict_of, joined, short, unknown_key
from .keys import MARKS
from .signatures import keys_read, parameters_of
from .values import COUNT, POSITIVE, check_argument, check_rule

AUTO_SCALE = ('enable', 'base_batch_size')
"""Keys of ``auto_scale_lr`` that the runner reads."""

SWITCHES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        'log_level',
        lambda value: (isinstance(value, int) and value >= 0) or isinstance(logging.getLevelName(value), int),
        "the name of a level, such as 'INFO'",
    ),
    ('sync_bn', lambda value: value in ('torch', 'mmcv'), "'torch', 'mmcv' or None"),
    ('compile', lambda value: isinstance(value, (bool, Mapping)), "True, False or a dict such as dict(backend='...')"),
    ('find_unused_parameters', lambda value: isinstance(value, bool), 'True or False'),
    ('auto_scale_lr', lambda value: isinstance(value, Mapping), 'a dict such as dict(enable=True, base_batch_size=8)'),
    ('model_wrapper_cfg', lambda value: isinstance(value, Mapping), 'a dict(type=...)'),
)
"""Optional top-level keys, each with a test of its value and the expected value in words. None is always allowed."""


def check_section(
    place: str, node: Any, name: str, functions: tuple[Any, ...], extra: Iterable[str] = ()
) -> Iterator[Finding]:
    """Check a dict without ``type`` by the functions that take its values as arguments or read its keys.

    Args:
        place: Dotted place of the dict.
        node: The dict.
        name: Name of the variable that holds the dict in the functions that read it.
        functions: Functions that take its values as arguments, or read its keys.
        extra: Further allowed keys.
    """
    if not isinstance(node, Mapping):
        if node is not None:
            yield Finding(place, f'is {short(node)}', 'a dict')
        return
    known = set(extra)
    for function in functions:
        known |= keys_read(name, function, passed_on=True) or set(parameters_of(function).known)
    for key, value in node.items():
        if key in MARKS:
            continue
        if key not in known:
            yield unknown_key(place, key, place, known)
            continue
        for function in functions:
            if key in parameters_of(function).known and not isinstance(value, Mapping):
                yield from filter(None, [check_argument(place, key, value, function)])


def check_environment(node: Any) -> Iterator[Finding]:
    """Check ``env_cfg``: cuDNN, worker processes and the distributed backend."""
    from mmengine.dist import init_dist
    from mmengine.utils.dl_utils import set_multi_processing

    yield from check_section('env_cfg', node, 'env_cfg', (Runner.setup_env,))
    if isinstance(node, Mapping):
        benchmark = node.get('cudnn_benchmark', False)
        if not isinstance(benchmark, bool):
            yield Finding('env_cfg.cudnn_benchmark', f'is {short(benchmark)}', 'True or False')
        yield from check_section('env_cfg.mp_cfg', node.get('mp_cfg'), 'mp_cfg', (set_multi_processing,))
        method = dict_of(node, 'mp_cfg').get('mp_start_method')
        if method is not None and method not in multiprocessing.get_all_start_methods():
            ways = ', '.join(map(repr, multiprocessing.get_all_start_methods()))
            yield Finding('env_cfg.mp_cfg.mp_start_method', f'is {short(method)}', f'one of {ways}')
        group = torch.distributed.init_process_group if torch.distributed.is_available() else init_dist
        yield from check_section(
            'env_cfg.dist_cfg', node.get('dist_cfg'), 'dist_cfg', (init_dist,), parameters_of(group).known
        )
        backend = dict_of(node, 'dist_cfg').get('backend')
        known = torch.distributed.Backend.backend_list if torch.distributed.is_available() else [backend]
        if backend is not None and not set(re.findall(r'(?:\w+:)?(\w+)', str(backend))) <= set(known):
            listed = ', '.join(repr(name) for name in known if name != torch.distributed.Backend.UNDEFINED)
            yield Finding('env_cfg.dist_cfg.backend', f'is {short(backend)}', f'one of {listed}')
        timeout = dict_of(node, 'dist_cfg').get('timeout')
        if timeout is not None:
            yield from filter(None, [check_rule('env_cfg.dist_cfg.timeout', timeout, POSITIVE)])


def check_switches(cfg: Config) -> Iterator[Finding]:
    """Check the optional top-level keys of :data:`SWITCHES`. mmengine raises or logs only late if one is wrong."""
    for key, holds, expected in SWITCHES:
        value = cfg.get(key)
        if value is not None and not holds(value):
            yield Finding(key, f'is {short(value)}', expected)
    scaled = cfg.get('auto_scale_lr')
    if isinstance(scaled, Mapping):
        for name in scaled:
            if name not in (*AUTO_SCALE, *MARKS):
                yield unknown_key('auto_scale_lr', name, 'the runner', AUTO_SCALE)


def check_log_entry(place: str, node: Any) -> Iterator[Finding]:
    """Check an entry of ``log_processor.custom_cfg``, which mmengine reads when the first line is logged."""
    if not isinstance(node, Mapping):
        yield Finding(place, f'is {short(node)}', "a dict such as dict(data_src='loss', method_name='mean')")
        return
    method = getattr(HistoryBuffer, str(node.get('method_name', 'mean')), None)
    if method is None:
        yield Finding(
            joined(place, 'method_name'), f'is {short(node["method_name"])}', "'mean', 'min', 'max' or 'current'"
        )
        return
    known = {'data_src', 'log_name', 'method_name', 'window_size', *parameters_of(method).known}
    for key in node:
        if key not in known:
            yield unknown_key(place, key, 'an entry of custom_cfg', known)
    if not isinstance(node.get('data_src'), str):
        yield Finding(
            joined(place, 'data_src'), f'is {short(node.get("data_src"))}', "the name of a value, such as 'loss'"
        )
    window = node.get('window_size', 1)
    if not COUNT.holds(window) and window not in ('epoch', 'global'):
        yield Finding(joined(place, 'window_size'), f'is {short(window)}', f"{COUNT.expected}, 'epoch' or 'global'")

"""The settings of a run that decide its weights, and their comparison with those of a checkpoint."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import mmcv
import mmengine
import mmseg
import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import Runner

from mmuda.settings import comparable, differences, is_below, shortened
from mmuda.version import __version__

from .launch import LIVE_KEYS

EVALUATION = ('val_', 'test_', 'tta_', 'target_statistics')
"""Beginnings of top-level keys that do not change weights."""
RUNTIME = {
    'runner_type',
    'default_hooks',
    'env_cfg',
    'log_level',
    'log_processor',
    'visualizer',
    'vis_backends',
    'launcher',
    'resume',
    'resume_allow',
    'work_dir',
    'experiment_name',
}
"""Top-level keys that decide where and how a run is executed, but not its weights."""

SCHEDULE = ('optim_wrapper', 'param_scheduler', 'auto_scale_lr')
"""Beginnings of the settings whose values a checkpoint holds."""


def deciding_settings(cfg: Config) -> dict[str, Any]:
    """Return the part of a config that decides the weights of a training: no evaluation, no runtime, no variables."""
    kept = {
        key: value
        for key, value in cfg.items()
        if (key in LIVE_KEYS or key == 'custom_imports') and key not in RUNTIME and not key.startswith(EVALUATION)
    }
    kept['train_cfg'] = {
        key: value for key, value in (kept.get('train_cfg') or {}).items() if not key.startswith('val_')
    }
    return kept


def training_facts(runner: Runner, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return all facts in which a resumed training must agree with the training that wrote the checkpoint.

    Args:
        runner: Runner whose training data and optimizers are built.
        settings: Settings of the run, see :func:`deciding_settings`.

    Returns:
        Plain values: ``settings``, ``world_size``, ``batch_size``, ``accumulative_counts``, ``precision``, ``device``,
        ``threads`` (None on a GPU, where they change nothing), ``versions`` of packages, and ``data``: for each domain,
        the number of its samples and a digest of the names of their files.
    """
    wrapper, device = runner.optim_wrapper, get_device()
    plain = comparable(settings)
    if isinstance(plain.get('randomness'), dict):
        plain['randomness']['seed'] = runner.seed  # the drawn seed, if the config has none
    if isinstance(plain.get('load_from'), str):
        plain['load_from'] = os.path.basename(plain['load_from'])  # its folder can have moved
    return dict(
        settings=plain,
        world_size=runner.world_size,
        batch_size=runner.train_dataloader.batch_size,
        accumulative_counts=getattr(wrapper, 'accumulative_counts', 1),
        precision=str(getattr(wrapper, 'dtype', None)),
        device=device,
        threads=torch.get_num_threads() if device == 'cpu' else None,
        versions=dict(
            torch=str(torch.__version__),
            numpy=np.__version__,
            mmengine=mmengine.__version__,
            mmcv=mmcv.__version__,
            mmseg=mmseg.__version__,
            mmuda=__version__,
        ),
        data=dict(_data_facts(runner.train_dataloader.dataset)),
    )


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return one line for each setting in which two :func:`training_facts` differ; it begins with the key."""
    return differences(_by_key(before), _by_key(now))


def changed_since_older(before: Mapping[str, Any], seed: int | None, now: Mapping[str, Any]) -> list[str]:
    """Return the lines of :func:`changed_settings` for a checkpoint of an earlier version, which holds few facts."""
    keys = dict(batch_size='train_dataloader.batch_size', precision='precision', world_size='processes')
    keys['accumulative_counts'] = 'optim_wrapper.accumulative_counts'
    first = {place: before[key] for key, place in keys.items() if key in before}
    second = {place: now[key] for key, place in keys.items() if key in before}
    if seed is not None:
        first['randomness.seed'], second['randomness.seed'] = seed, now['settings'].get('randomness', {}).get('seed')
    return differences(first, second)


def not_allowed(lines: Sequence[str], allowed: Sequence[str]) -> list[str]:
    """Return the lines of :func:`changed_settings` whose key is neither an allowed key nor below one."""
    return [line for line in lines if not any(is_below(line, key) for key in allowed)]


def unknown_allowance(before: Mapping[str, Any], now: Mapping[str, Any], allowed: Sequence[str]) -> str | None:
    """Return an error message if neither of two :func:`training_facts` has an allowed key; None if all are known."""
    known: set[str] = set()
    for facts in (before, now):
        _collect(_by_key(facts), '', known)
    for key in allowed:
        if key not in known:
            close = get_close_matches(key, known, n=2, cutoff=0.6)
            hint = f'did you mean {" or ".join(close)}?' if close else f'it has {", ".join(sorted(_by_key(now)))}'
            return f'--allow {key}: the training has no such setting; {hint}'
    return None


def _collect(node: Any, place: str, found: set[str]) -> None:
    """Add the dotted keys of all parts of nested plain values to ``found``."""
    if isinstance(node, Mapping):
        parts = list(node.items())
    else:
        parts = list(enumerate(node)) if isinstance(node, (list, tuple)) else []
    for key, part in parts:
        where = f'{place}.{key}' if place else str(key)
        found.add(where)
        _collect(part, where, found)


def changes_schedule(lines: Sequence[str]) -> bool:
    """Return whether a change concerns optimizers or their schedules, whose values a checkpoint holds."""
    return any(is_below(line, key) for line in lines for key in SCHEDULE)


def changes_optimizer(lines: Sequence[str]) -> bool:
    """Return whether an optimizer was replaced by one of another type, which cannot use the stored state."""
    places = [line.split(': ', 1)[0].split('.') for line in lines]
    return any(place[0] == 'optim_wrapper' and place[-1] in ('type', 'optimizer') for place in places)


def refusal(filename: str, changed: Sequence[str], refused: Sequence[str]) -> str:
    """Return the error message about changes that are not allowed.

    Args:
        filename: The checkpoint.
        changed: All changes.
        refused: The changes that are not allowed.
    """
    told = '\n  '.join(shortened(list(changed)))
    keys = ' '.join(line.split(': ', 1)[0] for line in refused)
    return (
        f'{filename} was trained with other settings:\n  {told}\n'
        f'Undo the change or, to continue with it from here, add --allow {keys}. To start a new training from its '
        'weights, omit --resume and set load_from'
    )


def _by_key(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts by the keys of ``--allow``: keys of the config, and names for the other facts."""
    names = dict(processes='world_size', device='device', threads='threads', versions='versions', data='data')
    found = {**facts.get('settings', {}), **{name: facts.get(key) for name, key in names.items()}}
    if found.get('threads') is None:
        found.pop('threads', None)
    return found


def _data_facts(dataset: Any, name: str = 'images') -> Iterator[tuple[str, str]]:
    sides = getattr(dataset, 'sides', None)
    if callable(sides):
        for side, part in sides().items():
            yield from _data_facts(part, side)
        return
    parts = getattr(dataset, 'datasets', None)
    if isinstance(parts, Sequence):
        for number, part in enumerate(parts):
            yield from _data_facts(part, f'{name}.{number}')
        return
    yield name, _names_digest(dataset)


def _names_digest(dataset: Any) -> str:
    """Return the number of samples and a digest of the names of their files, relative to their common folder."""
    get_data_info = getattr(dataset, 'get_data_info', None)
    if not callable(get_data_info):
        return f'{len(dataset)} samples'
    infos = [get_data_info(index) for index in range(len(dataset))]
    digest = hashlib.sha256()
    for key in ('img_path', 'seg_map_path'):
        paths = [os.path.abspath(info[key]) for info in infos if info.get(key)]
        root = os.path.commonpath({os.path.dirname(path) for path in paths}) if paths else ''
        below = len(os.path.join(root, ''))
        digest.update('\n'.join([key, *(path[below:] for path in paths)]).encode())
    return f'{len(infos)} samples, names {digest.hexdigest()[:16]}'

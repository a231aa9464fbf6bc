"""Examination of the machine and its packages: versions, compiled operators, devices, memory and folders."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from packaging.requirements import Requirement
from packaging.version import Version

import mmuda.version
from mmuda.compat import TESTED, is_newer
from mmuda.datasets.cache import CACHE_DIR_VARIABLE, cache_dir
from mmuda.files import existing_folder
from mmuda.machine import processor_name

from .rows import ERROR, OK, WARNING, Row, Section, count, size_of, some

OPERATORS = 'mmcv._ext'
"""Module that only a build of mmcv with compiled operators has."""

NEED_OPERATORS: dict[str, str] = {
    'CCHead': 'mmseg, cc_head',
    'PSAHead': 'mmseg, psa_head',
    'PointHead': 'mmseg, point_head',
    'SideAdapterCLIPHead': 'mmseg, san_head',
    'Mask2FormerHead': 'mmseg and mmdet',
    'MaskFormerHead': 'mmseg and mmdet',
    'FocalLoss': 'mmseg, on a GPU',
    'MultiScaleDeformableAttention': 'mmcv.ops',
    'MMSyncBN': 'mmcv.ops',
    'DCN': 'mmcv.ops',
    'DCNv2': 'mmcv.ops',
    'carafe': 'mmcv.ops',
}
"""Components that need the compiled operators, by their name in configs, with the place of their definition."""

SHARED_MEMORY = Path('/dev/shm')
LEAST_SHARED = 2**30
"""Bytes of shared memory below which loaders with workers can fail. Containers have 64 MiB by default."""


def examine_environment(cfg: Any = None) -> Section:
    """Examine the machine and its packages.

    Args:
        cfg: A config as a dict, to find its components that need compiled operators.
    """
    section = Section('environment')
    section.add('Python', f'{platform.python_version()}, {sys.executable}')
    section.add('mmuda', f'{mmuda.version.__version__}, {Path(mmuda.version.__file__).parent}')
    section.rows += [*_tested(), *_required(), _operators(cfg), *_devices(), *_memory(), _cache()]
    return section


def _tested() -> Iterator[Row]:
    """Compare the packages that mmuda extends with the versions that its tests have passed with."""
    for name, tested in TESTED.items():
        range_ = f'tested: {tested.lowest} to {tested.newest}.x'
        remedy = f'pip install "{tested.distribution}>={tested.lowest}"'
        try:
            version = import_module(f'{name}.version').__version__
        except ImportError as error:
            yield Row(name, f'cannot be imported ({error})', ERROR, remedy)
            continue
        if Version(version) < Version(tested.lowest):
            yield Row(name, f'{version} is too old ({range_})', ERROR, remedy)
        elif is_newer(version, tested):
            remedy = f'if something fails: pip install "{tested.distribution}=={tested.newest}.*"'
            yield Row(name, f'{version} is newer than tested ({range_})', WARNING, remedy)
        else:
            yield Row(name, f'{version} ({range_})')


def _required() -> Iterator[Row]:
    """Compare the other packages with the requirements of mmuda."""
    try:
        lines = importlib.metadata.requires('mmuda') or []
    except importlib.metadata.PackageNotFoundError:
        yield Row('other packages', 'not compared: mmuda is not installed', WARNING, 'pip install --editable .')
        return
    known = {tested.distribution for tested in TESTED.values()}
    fine = []
    for requirement in map(Requirement, lines):
        if requirement.name in known or (requirement.marker and not requirement.marker.evaluate({'extra': ''})):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield Row(requirement.name, 'is not installed', ERROR, f'pip install "{requirement}"')
            continue
        if requirement.specifier.contains(version, prereleases=True):
            fine.append(f'{requirement.name} {version}')
        else:
            yield Row(requirement.name, f'{version}, needed is {requirement}', ERROR, f'pip install "{requirement}"')
    yield Row('other packages', some(fine, len(fine)) or 'none')


def _operators(cfg: Any) -> Row:
    """Check whether mmcv has its compiled operators, or else whether components of a config need them."""
    item, names = 'compiled operators (mmcv.ops)', ', '.join(NEED_OPERATORS)
    if importlib.util.find_spec(OPERATORS) is not None:
        return Row(item, 'built')
    if cfg is None:
        return Row(item, f'not built; no component of mmuda needs them, of others {names} do')
    used = sorted({name for name in _types(cfg) if name in NEED_OPERATORS})
    if not used:
        return Row(item, 'not built; no component of this config needs them')
    told = ', '.join(f'{name} ({NEED_OPERATORS[name]})' for name in used)
    remedy = 'install a build of mmcv with operators for this PyTorch, or choose another component'
    # mmseg computes this loss in Python if there is no GPU.
    fatal = used != ['FocalLoss'] or torch.cuda.is_available()
    return Row(item, f'not built; this config uses {told}', ERROR if fatal else WARNING, remedy)


def _types(node: Any) -> Iterator[str]:
    """Yield the names of the components in a (nested) config, without the scope in front."""
    if isinstance(node, dict):
        if isinstance(node.get('type'), str):
            yield node['type'].rpartition('.')[2]
        for value in node.values():
            yield from _types(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _types(value)


def _devices() -> Iterator[Row]:
    threads = f'{count(os.cpu_count() or 1, "core")}, {count(torch.get_num_threads(), "thread")} of PyTorch'
    yield Row('CPU', f'{processor_name()}, {threads}')
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            free, total = torch.cuda.mem_get_info(number)
            found = f'{properties.name}, {size_of(free)} of {size_of(total)} free'
            busy = free < total / 2
            remedy = 'another process uses it: find it with nvidia-smi' if busy else ''
            yield Row(f'GPU {number}', found, WARNING if busy else OK, remedy)
    elif Path('/dev/nvidiactl').exists():
        remedy = 'install the PyTorch build for the CUDA version of the driver: pytorch.org/get-started'
        yield Row('GPU', f'there is one, but PyTorch {torch.__version__} does not find it', WARNING, remedy)
    else:
        yield Row('GPU', 'none: trainings run on the CPU')


def _memory() -> Iterator[Row]:
    try:
        entries = dict(re.findall(r'^(\w+):\s+(\d+) kB', Path('/proc/meminfo').read_text(), re.MULTILINE))
        free, total = (1024 * int(entries[key]) for key in ('MemAvailable', 'MemTotal'))
    except (OSError, KeyError):
        pass  # not Linux
    else:
        yield Row('memory', f'{size_of(free)} of {size_of(total)} free')
    if SHARED_MEMORY.is_dir():
        total = shutil.disk_usage(SHARED_MEMORY).total
        small = total < LEAST_SHARED
        remedy = 'docker run --shm-size=8g, or num_workers=0 in the loaders' if small else ''
        yield Row(f'shared memory ({SHARED_MEMORY})', size_of(total), WARNING if small else OK, remedy)


def _cache() -> Row:
    folder = cache_dir()
    place = existing_folder(folder)
    if not os.access(place, os.W_OK):
        remedy = f'set {CACHE_DIR_VARIABLE} to a folder that can be written'
        return Row('cache folder', f'{folder} cannot be written: each run examines all files again', WARNING, remedy)
    return Row('cache folder', f'{folder}, {size_of(shutil.disk_usage(place).free)} free')

"""Costs of a run in hours, memory and disk, estimated from a dry run of a few iterations."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmuda.checks.finding import of_stage, one_line
from mmuda.datasets.cache import CACHE_DIR_VARIABLE, cache_dir
from mmuda.environ import environment_variable
from mmuda.files import existing_folder

from .datasets import DataSets
from .dry_run import Measured, NotTried, dry_training
from .dry_stages import Tried, is_about_memory, try_stages
from .images import Reading
from .memory import CUDA
from .rows import ERROR, OK, SKIPPED, WARNING, Row, Section, count, size_of
from .schedule import Plan, plan_of

NAME = 'dry iteration'
_FULL = 0.9
"""Share of the memory of a GPU above which there is a warning that a training may not fit."""

SAVE_MEMORY = 'mixed precision (--amp bfloat16), smaller crops or a smaller batch save memory'

BYTES_OF_A_COUNT = 9
"""Bytes in the cache for each class of each label: seven digits, a comma and a space."""


def examine_costs(
    cfg: Config, lengths: Mapping[str, int], label_bytes: float | None = None, pixels: int = 0, caches: int = 0
) -> Section:
    """Run a few iterations of each training of a config, and estimate the costs of the whole run.

    Everything is written to a temporary folder, which is deleted.

    Args:
        cfg: Config of the run.
        lengths: Number of images by place of the data set in the config.
        label_bytes: Bytes of a label file for each of its pixels; None if no label was read.
        pixels: Pixels of a target image; 0 if they are not known.
        caches: Bytes that facts about the data sets can take in the cache folder.
    """
    section = Section(NAME)
    hours, disk = 0.0, 0.0
    unknown = []
    with (
        tempfile.TemporaryDirectory(prefix='mmuda-doctor-') as folder,
        # Facts about one image must not enter the cache of the user.
        environment_variable(CACHE_DIR_VARIABLE, str(Path(folder, 'cache'))),
    ):
        for tried in _tried(cfg, Path(folder, 'run')):
            prefix = f'{tried.name}: ' if tried.name else ''
            rows, seconds, size = _cost(tried, lengths, (label_bytes or 0.0) * pixels)
            section.rows += [Row(f'{prefix}{row.item}', row.found, row.verdict, row.remedy) for row in rows]
            section.facts[tried.name or 'training'] = _facts(tried, seconds, size)
            unknown += [tried.name or 'the training'] if tried.reason else []
            hours, disk = hours + seconds / 3600, disk + size
    if section.count(ERROR) == 0:
        least = f'at least {_duration(3600 * hours)}; not counted: {", ".join(unknown)}'
        section.add('whole run', least if unknown else f'about {_duration(3600 * hours)}')
    section.rows.append(_disk(Path(cfg.work_dir), disk))
    caches += int(samples_bound(dict(cfg.items())))
    if caches:
        section.add('caches', f'at most {size_of(caches)} in {cache_dir()}')
    section.facts['hours'], section.facts['disk'] = hours, disk
    return section


def _tried(cfg: Config, folder: Path) -> Iterator[Tried]:
    if cfg.get('runner_type') == 'StagedRunner':
        yield from try_stages(cfg, folder)
        return
    try:
        yield Tried('', dry_training(cfg, folder), cfg)
    except NotTried as error:
        yield Tried('', reason=str(error))
    except Exception as error:  # a component can raise anything
        yield Tried('', reason=one_line(error), verdict=ERROR)


def _cost(tried: Tried, lengths: Mapping[str, int], label_size: float) -> tuple[list[Row], float, float]:
    """Return the rows of a stage, the seconds of its full run and its bytes on the disk."""
    if tried.reason:
        return [Row('dry run', _told(tried), tried.verdict, _remedy(tried))], 0.0, 0.0
    if tried.measured is None or tried.config is None:
        return _cost_of_pass(tried, label_size)
    plan = plan_of(tried.config, lengths, of_stage(tried.like or tried.name))
    seconds = _seconds(tried.measured, plan, tried.config)
    disk = float(tried.measured.checkpoint * plan.checkpoints)
    if tried.like:
        return [Row('time', f'about {_duration(seconds)}, as measured for {tried.like}')], seconds, disk
    return list(_rows(tried.measured, plan, tried.config, seconds)), seconds, disk


def _cost_of_pass(tried: Tried, label_size: float) -> tuple[list[Row], float, float]:
    seconds, disk = tried.seconds * tried.images, label_size * tried.images if tried.labels else 0.0
    about = 'at most' if tried.chosen else 'about'
    told = f'{about} {_duration(seconds)}: {count(tried.images, "image")} of {tried.seconds:.2f} s'
    rows = [Row('time', told + (f', as measured for {tried.like}' if tried.like else ''))]
    if disk and not tried.like:
        rows.append(Row('labels', f'{about} {size_of(disk)}, if they are as large as those of the data sets'))
    return rows, seconds, disk


def _seconds(measured: Measured, plan: Plan, cfg: Config) -> float:
    """Return the seconds of a training. With workers, reading and computing run at the same time."""
    workers = (cfg.train_dataloader or {}).get('num_workers', 0)
    each = max(measured.seconds, measured.reading / workers) if workers else measured.seconds + measured.reading
    return each * (plan.iterations or 0) + plan.validations * plan.images * (measured.validation or 0.0)


def _rows(measured: Measured, plan: Plan, cfg: Config, seconds: float) -> Iterator[Row]:
    yield Row('iteration', f'{measured.seconds:.2f} s, one pair as a batch of {measured.batch}')
    workers = (cfg.train_dataloader or {}).get('num_workers', 0)
    slow = workers > 0 and measured.reading / workers > measured.seconds
    remedy = 'reading is slower than the network: raise train_dataloader.num_workers' if slow else ''
    told = f'{measured.reading:.2f} s for a batch in one process, num_workers is {workers}'
    yield Row('reading', told, WARNING if slow else OK, remedy)
    if measured.validation is not None:
        yield Row('validation', f'{measured.validation:.2f} s for an image')
    yield from _memory(measured)
    parts = f'{count(plan.iterations or 0, "iteration")}, {count(plan.validations, "validation")}'
    yield Row('time', f'about {_duration(seconds)}: {parts}')
    yield Row('checkpoints', f'{size_of(measured.checkpoint)} each, at most {plan.checkpoints} on the disk at a time')


def _memory(measured: Measured) -> Iterator[Row]:
    if measured.kind != CUDA:
        yield Row('peak memory', f'{size_of(measured.memory)} ({measured.kind})')
        return
    total = torch.cuda.get_device_properties(0).total_memory
    full = measured.memory > _FULL * total
    remedy = SAVE_MEMORY if full else ''
    found = f'{size_of(measured.memory)} of {size_of(total)} ({measured.kind})'
    yield Row('peak memory', found, WARNING if full else OK, remedy)


def _disk(work_dir: Path, needed: float) -> Row:
    place = existing_folder(work_dir)
    free = shutil.disk_usage(place).free
    found = f'about {size_of(needed)} of {size_of(free)} free in {place}'
    if needed > free:
        return Row('disk', found, ERROR, 'free some space, or choose another --work-dir')
    return Row('disk', found)


def _facts(tried: Tried, seconds: float, disk: float) -> dict:
    measured = {} if tried.measured is None else vars(tried.measured)
    return dict(measured, tried=not tried.reason, reason=tried.reason, expected_seconds=seconds, disk=disk)


def _told(tried: Tried) -> str:
    kinds = {ERROR: '', WARNING: 'failed with the results of the dry stages: ', SKIPPED: 'not tried: '}
    return kinds[tried.verdict] + tried.reason


def _remedy(tried: Tried) -> str:
    if is_about_memory(tried.reason):
        return SAVE_MEMORY
    return {
        ERROR: 'tools/train.py CONFIG --traceback shows where it comes from',
        WARNING: 'the few images of the dry stages may be the cause: watch this stage when the run reaches it',
        SKIPPED: '',
    }[tried.verdict]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 7200 else f'{seconds / 3600:.1f} h'


def label_size(readings: dict[str, Reading]) -> float | None:
    """Return the mean bytes of a label file for each of its pixels; None if no label was read."""
    read = [one for one in readings.values() if one.label_pixels]
    pixels = sum(one.label_pixels for one in read)
    return sum(one.label_bytes for one in read) / pixels if pixels else None


def samples_bound(node: Any) -> float:
    """Return the largest ``cache_bytes`` in a part of a config, the limit for all cached samples; 0 without one."""
    if isinstance(node, Mapping):
        return max([node.get('cache_bytes') or 0, *map(samples_bound, node.values())])
    return max(map(samples_bound, node), default=0) if isinstance(node, (list, tuple)) else 0


def cache_size(result: DataSets) -> int:
    """Return the bytes that the class counts of all training labels can take in the cache folder."""
    return sum(
        BYTES_OF_A_COUNT * result.lengths[place] * len(one.classes)
        for place, one in result.readings.items()
        if 'train_dataloader' in place and one.has_labels
    )

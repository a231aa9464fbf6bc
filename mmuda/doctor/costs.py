"""The cost of a run, from its dry one: hours, memory and disk."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from mmengine.config import Config

from mmuda.checks.building import one_line
from mmuda.datasets.cache import cache_dir

from .dry_run import Measured, NotTried, dry_training
from .dry_stages import Tried, try_stages
from .environment import existing
from .findings import stage_place
from .memory import CUDA
from .rows import ERROR, OK, SKIPPED, WARNING, Row, Section, count, size_of
from .schedule import Plan, plan_of

NAME = 'dry iteration'
_FULL = 0.9
"""Share of the memory of a GPU from which on a training may not fit."""


def examine_costs(
    cfg: Config, lengths: Mapping[str, int], label_bytes: float | None = None, pixels: int = 0, caches: int = 0
) -> Section:
    """Let each training of a config make a few iterations, and say what the whole run costs.

    Nothing is left behind: everything is written to a temporary folder.

    Args:
        cfg: Config of the run.
        lengths: Images by place in the config.
        label_bytes: Bytes of a label file for each of its pixels; None if no label was read.
        pixels: Pixels of a target image; 0 if they are not known.
        caches: Bytes of facts about the data sets, which the cache folder keeps.
    """
    section = Section(NAME)
    hours, disk = 0.0, 0.0
    unknown = []
    with tempfile.TemporaryDirectory(prefix='mmuda-doctor-') as folder:
        for tried in _tried(cfg, Path(folder)):
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
    except Exception as error:  # of any component
        yield Tried('', reason=one_line(error), failed=True)


def _cost(tried: Tried, lengths: Mapping[str, int], label_size: float) -> tuple[list[Row], float, float]:
    """Return the rows of a stage, its seconds and its bytes on the disk."""
    if tried.reason:
        verdict = ERROR if tried.failed else WARNING if tried.doubtful else SKIPPED
        return [Row('dry run', _told(tried), verdict, _remedy(tried))], 0.0, 0.0
    if tried.measured is None or tried.config is None:
        return _cost_of_pass(tried, label_size)
    plan = plan_of(tried.config, lengths, stage_place(tried.name if not tried.like else tried.like))
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
    """Return the seconds of a training: workers read while the network computes."""
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
    yield Row('checkpoints', f'{size_of(measured.checkpoint)} each, at most {plan.checkpoints} at a time')


def _memory(measured: Measured) -> Iterator[Row]:
    if measured.kind != CUDA:
        yield Row('peak memory', f'{size_of(measured.memory)} ({measured.kind})')
        return
    total = torch.cuda.get_device_properties(0).total_memory
    full = measured.memory > _FULL * total
    remedy = 'mixed precision (--amp bfloat16), smaller crops or a smaller batch save memory' if full else ''
    found = f'{size_of(measured.memory)} of {size_of(total)} ({measured.kind})'
    yield Row('peak memory', found, WARNING if full else OK, remedy)


def _disk(work_dir: Path, needed: float) -> Row:
    place = existing(work_dir)
    free = shutil.disk_usage(place).free
    found = f'about {size_of(needed)} of {size_of(free)} free in {place}'
    if needed > free:
        return Row('disk', found, ERROR, 'free some, or choose another --work-dir')
    return Row('disk', found)


def _facts(tried: Tried, seconds: float, disk: float) -> dict:
    measured = {} if tried.measured is None else vars(tried.measured)
    return dict(measured, tried=not tried.reason, reason=tried.reason, expected_seconds=seconds, disk=disk)


def _told(tried: Tried) -> str:
    if tried.failed:
        return tried.reason
    if tried.doubtful:
        return f'failed with the results of the dry stages: {tried.reason}'
    return f'not tried: {tried.reason}'


def _remedy(tried: Tried) -> str:
    if 'memory' in tried.reason:
        return 'mixed precision (--amp bfloat16), smaller crops or a smaller batch save memory'
    if tried.doubtful:
        return 'the few images of the dry stages may be the cause: look at this stage when the run comes to it'
    return 'tools/train.py CONFIG --traceback shows where it comes from' if tried.failed else ''


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 7200 else f'{seconds / 3600:.1f} h'

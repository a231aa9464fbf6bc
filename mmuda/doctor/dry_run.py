"""A few iterations of a training with one pair, one validation image and one checkpoint, in a temporary folder."""

import copy
import gc
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmseg.registry import DATASETS

from mmuda.checks.data import datasets_of
from mmuda.checks.registries import find
from mmuda.checks.signatures import parameters_of
from mmuda.checks.values import whole
from mmuda.engine.launch import build_runner, metrics_with

from .memory import peak_memory
from .pairs import kept_images, leave_unchecked

LEAST = 2
"""Least number of iterations, and of passes over the validation image.

The first of each is not measured, because it allocates memory and chooses algorithms.
"""

CHECKPOINT = 'dry.pth'

_OF_FILES = {'out_dir', 'backend_args', 'file_client_args', 'filename_tmpl', 'published_keys', 'save_begin'}
"""Arguments of a checkpoint hook that are left out, because with them it can write to other folders or other files."""

_BEFORE_SAVING = 89
"""Priority after all hooks except those with VERY_LOW, such as CheckpointHook."""


class NotTried(Exception):
    """Reason why a training or stage cannot be tried with a few images, although the config has no mistake."""


@dataclass(frozen=True)
class Measured:
    """Figures of a dry run.

    Attributes:
        seconds: Mean seconds of an iteration after the first, with the work of the hooks, without reading and saving.
        reading: Mean seconds to read the images of an iteration in this process.
        validation: Mean seconds for a validation image, reading included; None without validation.
        memory: Peak of the memory in bytes.
        kind: Kind of that memory in words, see :func:`peak_memory`.
        checkpoint: Size of a checkpoint in bytes.
        batch: Number of images of each domain in an iteration.
    """

    seconds: float
    reading: float
    validation: float | None
    memory: int
    kind: str
    checkpoint: int
    batch: int


def dry_training(cfg: Config, folder: Path) -> Measured:
    """Build the runner of a training as ``tools/train.py`` does, and run a short training with validation and saving.

    Args:
        cfg: Config of one training. It is not changed.
        folder: Empty folder for everything that the run writes; the checkpoint stays there as :data:`CHECKPOINT`.

    Raises:
        NotTried: If a data set cannot be cut to one image.
        Exception: Any that the training raises.
    """
    cfg = reduced(cfg, folder)
    times = StepTimes()
    try:
        with peak_memory() as peak:
            runner: Any = build_runner(cfg)
            runner.register_hook(times, priority='HIGHEST')
            runner.register_hook(EndOfStep(times), priority=_BEFORE_SAVING)
            runner.train()
            saved = next(folder.glob('*.pth'), None)
    finally:
        _forget_logs(folder)
    if saved is None:
        raise FileNotFoundError('the training saved no checkpoint at its end: see default_hooks.checkpoint')
    saved.rename(folder / CHECKPOINT)
    measured = Measured(
        _mean(times.steps[1:]),
        _mean(times.readings[1:]),
        _mean(times.validations[1:]) if times.validations else None,
        peak.size,
        peak.kind,
        (folder / CHECKPOINT).stat().st_size,
        cfg.train_dataloader.get('batch_size', 1),
    )
    del runner
    free_memory()
    return measured


def reduced(cfg: Config, folder: Path) -> Config:
    """Return the config of a short training with the first image of each data set.

    The batch keeps its size and repeats the same pair, so that time and memory are those of the full training. The
    validation repeats one image as well.

    Args:
        cfg: Config of one training.
        folder: Its work directory.
    """
    cfg = copy.deepcopy(cfg)
    counts = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    iterations = counts * math.ceil(LEAST / counts)
    cfg.update(work_dir=str(folder), resume=False, launcher='none', log_level='ERROR')
    cfg.experiment_name = f'dry-{time.time_ns()}'
    _shorten(cfg, iterations)
    for key, batch in (('train_dataloader', None), ('val_dataloader', 1)):
        loader = cfg.get(key)
        if loader is not None:
            loader.update(num_workers=0, persistent_workers=False)
            loader.pop('prefetch_factor', None)
            loader.batch_size = batch or loader.get('batch_size', 1)
    for place, node in datasets_of(cfg, ('train_dataloader', 'val_dataloader')):
        first_images(node, cfg.train_dataloader.batch_size if place.startswith('train') else LEAST, repeat=True)
    sampler = cfg.train_dataloader.get('sampler')
    if isinstance(sampler, dict) and sampler.get('source_policy') is not None:
        sampler['source_policy'] = None  # not needed for one image, and it would count all labels
    for metric in metrics_with(cfg.get('val_evaluator'), 'json_file'):
        metric['json_file'] = None
    if isinstance(cfg.get('visualizer'), Mapping):
        cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]  # others can send data to servers
    return cfg


def first_images(node: Any, count: int, repeat: bool = False) -> None:
    """Change the config of a data set so that it has only its first images and reads no other file.

    Args:
        node: The config; it is changed.
        count: Number of images.
        repeat: Whether to take the first image ``count`` times instead.

    Raises:
        NotTried: If the class of the data set cannot take a part of its images.
        Exception: Any error of the class, if the data set leaves out mismatched pairs and must be built for this.
    """
    kind = find(node.get('type'), DATASETS)
    if isinstance(kind, type) and 'indices' not in parameters_of(kind).known:
        raise NotTried(f'{kind.__name__} has no argument indices, so it cannot be cut to a few images')
    kept = None
    with suppress(FileNotFoundError):  # the training raises it again
        kept = kept_images(node)
    given = node.get('indices') if kept is None else kept
    known: Sequence[int]
    if isinstance(given, (list, tuple)):
        known = given
    else:
        known = range(count) if not whole(given) else range(given) if given >= 0 else range(given, 0)
    node['indices'] = [known[0]] * count if repeat else list(known[:count])
    leave_unchecked(node)


def free_memory() -> None:
    """Free the memory that a dry run has left on the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class StepTimes(Hook):
    """Hook that measures the seconds of iterations, of reading their images, and of validation images."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.readings: list[float] = []
        self.validations: list[float] = []
        self._last = 0.0

    def before_train(self, runner: Any) -> None:
        """Start the time of the first reading."""
        self._lap()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Add the time of reading the batch."""
        self.readings.append(self._lap())

    def end_step(self) -> None:
        """Add the time of the iteration."""
        self.steps.append(self._lap())

    def before_val_epoch(self, runner: Any) -> None:
        """Start the time of the first image."""
        self._lap()

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Add the time of the image."""
        self.validations.append(self._lap())

    def _lap(self) -> float:
        """Wait until the device has finished its work, and return the seconds since the last call."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        last, self._last = self._last, time.perf_counter()
        return self._last - last


class EndOfStep(Hook):
    """Hook that ends the time of each iteration after the other hooks, so that their work does not count as reading."""

    def __init__(self, times: StepTimes) -> None:
        self.times = times

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """End the time of the iteration."""
        self.times.end_step()


def _shorten(cfg: Config, iterations: int) -> None:
    """Change a config so that it trains some iterations (or epochs, if it counts these), validates and saves once."""
    loop = cfg.train_cfg
    length = 'max_epochs' if 'max_epochs' in loop else 'max_iters'
    loop.update({length: iterations, 'val_interval': iterations, 'val_begin': 1})
    loop.pop('dynamic_intervals', None)
    hooks = dict(cfg.get('default_hooks') or {})
    given = {key: value for key, value in (hooks.get('checkpoint') or {}).items() if key not in _OF_FILES}
    known = dict(type='CheckpointHook', by_epoch=length == 'max_epochs')
    forced = dict(interval=iterations, save_best=None, save_last=True, max_keep_ckpts=1)
    hooks['checkpoint'] = {**known, **given, **forced}
    if 'progress' in hooks:
        hooks['progress'] = None
    cfg.default_hooks = hooks


def _forget_logs(folder: Path) -> None:
    """Close the log files of a run, whose folder will be deleted."""
    logger = MMLogger.get_current_instance()
    for handler in list(logger.handlers):
        if str(getattr(handler, 'baseFilename', '')).startswith(str(folder)):
            handler.close()
            logger.removeHandler(handler)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)

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
"""Iterations, and passes of the validation image: the first allocates and chooses algorithms, so it is not measured."""

CHECKPOINT = 'dry.pth'

_OF_FILES = {'out_dir', 'backend_args', 'file_client_args', 'filename_tmpl', 'published_keys', 'save_begin'}
"""Arguments of a checkpoint hook that lead out of the temporary folder, or to other files than one at the end."""

_BEFORE_SAVING = 89
"""Priority behind all hooks but those that are VERY_LOW, of which CheckpointHook is one."""


class NotTried(Exception):
    """The reason why something cannot be tried with a few images, which is no mistake of the config."""


@dataclass(frozen=True)
class Measured:
    """Figures of a dry run.

    Attributes:
        seconds: Of an iteration after the first with the work of the hooks, reading and saving not included.
        reading: Seconds to read its images in this process.
        validation: Seconds for a validation image, reading included; None without validation.
        memory: Bytes at the peak.
        kind: Which memory that is, in words.
        checkpoint: Bytes of a checkpoint.
        batch: Images of each domain in an iteration.
    """

    seconds: float
    reading: float
    validation: float | None
    memory: int
    kind: str
    checkpoint: int
    batch: int


def dry_training(cfg: Config, folder: Path) -> Measured:
    """Build the runner of a training as ``tools/train.py`` does, and let it train, validate and save once.

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

    The batch keeps its size, and is the same pair several times, so that time and memory are those of the training.
    Likewise, the validation image is the same one twice.

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
        sampler['source_policy'] = None  # an order of one image, for which it would look at all labels
    for metric in metrics_with(cfg.get('val_evaluator'), 'json_file'):
        metric['json_file'] = None
    if isinstance(cfg.get('visualizer'), Mapping):
        cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]  # others may send to servers
    return cfg


def first_images(node: Any, count: int, repeat: bool = False) -> None:
    """Let the config of a data set take its first images alone, and read no other file.

    Args:
        node: The config; it is changed.
        count: Number of images.
        repeat: Take the first image so many times.

    Raises:
        NotTried: If its class cannot take a part of its images.
        Exception: Any that the class raises, if it leaves out pairs.
    """
    kind = find(node.get('type'), DATASETS)
    if isinstance(kind, type) and 'indices' not in parameters_of(kind).known:
        raise NotTried(f'{kind.__name__} has no argument indices, so it cannot be cut to a few images')
    kept = None
    with suppress(FileNotFoundError):  # which the training raises, too, if it comes so far
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
    """Give back what a dry run has left on the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class StepTimes(Hook):
    """Times of iterations, of reading their images, and of validation images."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.readings: list[float] = []
        self.validations: list[float] = []
        self._last = 0.0

    def before_train(self, runner: Any) -> None:
        """Begin with the first reading."""
        self._lap()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Note how long the reading took."""
        self.readings.append(self._lap())

    def end_step(self) -> None:
        """Note how long the iteration took."""
        self.steps.append(self._lap())

    def before_val_epoch(self, runner: Any) -> None:
        """Begin with the first reading."""
        self._lap()

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note how long the image took."""
        self.validations.append(self._lap())

    def _lap(self) -> float:
        """Return the seconds since the last call, when the device has done all of its work."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        last, self._last = self._last, time.perf_counter()
        return self._last - last


class EndOfStep(Hook):
    """The end of each iteration, when the other hooks have done their work, which is no reading of images."""

    def __init__(self, times: StepTimes) -> None:
        self.times = times

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """End the iteration."""
        self.times.end_step()


def _shorten(cfg: Config, iterations: int) -> None:
    """Let a training end after some iterations (epochs, if it counts these), validate and save once."""
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

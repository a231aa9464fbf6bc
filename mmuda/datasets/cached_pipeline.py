"""Pipelines that cache the result of their first steps, loading and resizing, until a file changes."""

import copy
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import mmcv
import mmseg
import numpy as np
import PIL
from mmcv.transforms import LoadImageFromFile, Resize as PlainResize
from mmengine.dataset import BaseDataset, Compose
from mmseg.datasets.transforms import LoadAnnotations, Resize

from mmuda.progress import progress
from mmuda.version import __version__

from .cache import file_stamp, fingerprint
from .sample_files import SampleFiles, log_once
from .transforms import (
    LoadDomainAnnotations,
    LoadDomainImage,
    LoadPseudoLabel,
    LoadTrustedPixels,
    PredictAtLabelSize,
    ResizeLongSide,
)
from .transforms.class_crop import WANTED_CLASS, WANTED_PIXELS

STEPS = (
    *(LoadImageFromFile, LoadAnnotations, PlainResize, Resize),
    *(LoadDomainImage, LoadDomainAnnotations, LoadPseudoLabel, LoadTrustedPixels, ResizeLongSide, PredictAtLabelSize),
)
"""Steps without randomness: their result depends only on the files, the other values of a sample and their settings.

Subclasses are not included, because they can add randomness. Any class with ``deterministic = True`` in its own body
counts as well.
"""

OF_THE_DRAW = ('sample_idx', WANTED_CLASS, WANTED_PIXELS)
"""Keys of a sample that no step in :data:`STEPS` reads. They are left out of the fingerprint."""

FORMAT = 1
"""Number to increase when the steps of mmuda, or the format of the files, change between two versions."""

VERSIONS = (FORMAT, __version__, *(package.__version__ for package in (mmcv, mmseg, np, cv2, PIL)))
"""Versions of all packages that decode and resize."""


class CachedPipeline(Compose):
    """A pipeline that reads the result of its first steps from the cache, or writes it there.

    "First steps" are those before the first step that can be random, so samples are the same with and without the
    cache, bit for bit. A cached result is used only if nothing that it depends on has changed: path, size and
    modification time of the files (in a zip archive: their checksum), the other values of the sample, the settings of
    the steps, and the versions of mmuda, mmcv, mmseg, NumPy, OpenCV and Pillow. Samples of files that are not on a
    local disk are not cached, which is logged once.

    Args:
        pipeline: A built pipeline.
        files: Folder of the cached samples.

    Raises:
        ValueError: If the first step of the pipeline can be random; see :data:`STEPS`.
    """

    def __init__(self, pipeline: Compose, files: SampleFiles) -> None:
        super().__init__(pipeline.transforms)
        self.files = files
        told = list(_told_steps(self.transforms))
        if not told:
            begin = type(self.transforms[0]).__name__ if self.transforms else 'no step'
            raise ValueError(
                f'cache_bytes: a pipeline begins with {begin}, whose result can be random, so nothing can be '
                'cached: leave cache_bytes out, or, if the result depends on the files and the settings alone, write '
                'deterministic = True into its class'
            )
        self.kept, self.rest = (Compose(part) for part in (self.transforms[: len(told)], self.transforms[len(told) :]))
        self._settings = [VERSIONS, told]

    def __call__(self, data: dict) -> dict | None:
        """Return the result of all steps for a sample; None if one of them returns None."""
        found = self.first(data)
        return None if found is None else self.rest(found)

    def first(self, data: dict) -> dict | None:
        """Return the result of the first steps for a sample, from the cache or computed."""
        key = self._key(data)
        if key is None:
            log_once('images that are not on a local disk, or whose samples hold objects, are not cached')
            return self.kept(data)
        values = self.files.read(key)
        if values is not None:
            return {**data, **values}
        before = copy.deepcopy(data)
        found = self.kept(data)
        if found is not None and before.keys() <= found.keys() and self._key(before) == key:  # no file changed
            self.files.write(key, {name: value for name, value in found.items() if _differs(before, name, value)})
        return found

    def _key(self, data: dict) -> str | None:
        """Return the name of a sample in the cache; None if a change of the sample could not be detected."""
        names = sorted(name for name in data if name not in OF_THE_DRAW and data[name] is not None)
        paths = [name for name in names if name.endswith('_path') and isinstance(data[name], str)]
        stamps = [file_stamp(data[name]) or [] for name in paths]
        try:
            others = _told([(name, data[name]) for name in names if name not in paths])
        except TypeError:
            return None
        lasting = bool(stamps) and all(len(stamp) > 1 for stamp in stamps)
        return fingerprint([self._settings, paths, stamps, others])[:40] if lasting else None


def keep_samples(dataset: Any, max_bytes: float) -> None:
    """Make the pipelines of a data set, or of all data sets in it, cache the results of their first steps.

    Args:
        dataset: An mmengine ``BaseDataset``, or a pair, union or wrapper of such data sets.
        max_bytes: Maximum size of all cached samples together; see :class:`SampleFiles`.

    Raises:
        TypeError: If a data set has no pipeline.
        ValueError: As :class:`CachedPipeline` and :class:`SampleFiles`.
    """
    files = SampleFiles(max_bytes)
    for part in parts_of(dataset):
        if not isinstance(getattr(part, 'pipeline', None), Compose):
            raise TypeError(f'cache_bytes: {type(part).__name__} has no pipeline to cache: leave cache_bytes out')
        part.pipeline = CachedPipeline(part.pipeline, files)


def parts_of(dataset: Any) -> Iterator[Any]:
    """Yield the data sets in pairs, unions and wrappers of mmengine; other data sets are yielded themselves."""
    if isinstance(dataset, BaseDataset):
        yield dataset
        return
    sides = dataset.sides().values() if hasattr(dataset, 'sides') else ()
    inner = [*sides, *getattr(dataset, 'datasets', ()), *filter(None, [getattr(dataset, 'dataset', None)])]
    for part in inner:
        yield from parts_of(part)
    if not inner:
        yield dataset


def fill(dataset: BaseDataset, threads: int) -> None:
    """Write all samples of a data set to the cache, with a progress bar. Cached samples are read and checked.

    Args:
        dataset: A data set with a :class:`CachedPipeline`.
        threads: Number of threads that decode.

    Raises:
        OSError: If there is no room for all samples, or the folder cannot be written.
        Exception: Any error that a step raises for a file.
    """
    pipeline, total = dataset.pipeline, len(dataset)

    def keep(index: int) -> None:
        pipeline.first(dataset.get_data_info(index))
        if pipeline.files.problem is not None:
            raise OSError(pipeline.files.problem)

    pool = ThreadPoolExecutor(threads)
    try:
        for _ in progress(pool.map(keep, range(total)), total, f'{type(dataset).__name__}, decoding'):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _told_steps(steps: list) -> Iterator[list[str]]:
    """Yield class and settings, as text, of each step before the first one that can be random."""
    for step in steps:
        kind = type(step)
        if kind not in STEPS and not vars(kind).get('deterministic'):
            return
        try:
            yield [f'{kind.__module__}.{kind.__qualname__}', _told(sorted(vars(step).items()))]
        except TypeError:  # settings that cannot be written as text
            return


def _told(value: Any) -> str:
    """Return a value of plain types as text, without loss.

    Raises:
        TypeError: If it contains values of other types.
    """
    json.dumps(value)
    return repr(value)


def _differs(before: dict, name: str, value: Any) -> bool:
    return name not in before or isinstance(value, np.ndarray) or before[name] != value

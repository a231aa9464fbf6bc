"""Pipelines whose first steps, which load and resize, are not done again for a file that has not changed."""

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
"""Steps, not their subclasses, whose result depends on the files, on what else a sample says and on their settings.

So does that of any class that has ``deterministic = True`` in its own body.
"""

OF_THE_DRAW = ('sample_idx', WANTED_CLASS, WANTED_PIXELS)
"""Keys of a sample that none of these steps looks at."""

FORMAT = 1
"""Another number when the steps of mmuda, or the files, change between two versions."""

VERSIONS = (FORMAT, __version__, *(package.__version__ for package in (mmcv, mmseg, np, cv2, PIL)))
"""Of all that decodes and resizes."""


class CachedPipeline(Compose):
    """A pipeline that takes the result of its first steps from the cache, or puts it there.

    The samples that leave it are the same, bit for bit: random steps begin behind the first steps. A sample has another
    name in the cache if one of its files has another path, size or modification time (in a zip archive: checksum), if a
    value in it or a setting of the steps differs, or another version of mmuda, mmcv, mmseg, NumPy, OpenCV or Pillow
    is installed. Samples of files that are not on a local disk are not kept, which is logged once.

    Args:
        pipeline: A built pipeline.
        files: Where samples are kept.

    Raises:
        ValueError: If it does not begin with one of :data:`STEPS`.
    """

    def __init__(self, pipeline: Compose, files: SampleFiles) -> None:
        super().__init__(pipeline.transforms)
        self.files = files
        told = list(_told_steps(self.transforms))
        if not told:
            begin = type(self.transforms[0]).__name__ if self.transforms else 'no step'
            raise ValueError(
                f'cache_bytes: a pipeline begins with {begin}, whose result may be a random one, so nothing can be '
                'kept: leave cache_bytes out, or, if it depends on the files and its settings alone, write '
                'deterministic = True into its class'
            )
        self.kept, self.rest = (Compose(part) for part in (self.transforms[: len(told)], self.transforms[len(told) :]))
        self._settings = [VERSIONS, told]

    def __call__(self, data: dict) -> dict | None:
        """Return what the steps make of a sample; None if one of them does."""
        found = self.first(data)
        return None if found is None else self.rest(found)

    def first(self, data: dict) -> dict | None:
        """Return what the first steps make of a sample, kept or computed."""
        key = self._key(data)
        if key is None:
            log_once('some images are not on a local disk, or their samples hold more than plain values: not cached')
            return self.kept(data)
        values = self.files.read(key)
        if values is not None:
            return {**data, **values}
        before = copy.deepcopy(data)
        found = self.kept(data)
        if found is not None and before.keys() <= found.keys() and self._key(before) == key:  # the files still are
            self.files.write(key, {name: value for name, value in found.items() if _differs(before, name, value)})
        return found

    def _key(self, data: dict) -> str | None:
        """Return the name of a sample in the cache; None if it cannot be told when its files change."""
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
    """Let all data sets in a data set keep what the first steps of their pipelines make.

    Args:
        dataset: An mmengine ``BaseDataset``, or one around such.
        max_bytes: As for :class:`SampleFiles`, for all that the cache folder keeps.

    Raises:
        TypeError: If a data set has no pipeline.
        ValueError: As :class:`CachedPipeline` and :class:`SampleFiles`.
    """
    files = SampleFiles(max_bytes)
    for part in parts_of(dataset):
        if not isinstance(getattr(part, 'pipeline', None), Compose):
            raise TypeError(f'cache_bytes: {type(part).__name__} has no pipeline, so nothing can be kept: leave it out')
        part.pipeline = CachedPipeline(part.pipeline, files)


def parts_of(dataset: Any) -> Iterator[Any]:
    """Yield the data sets that pairs, unions and wrappers of mmengine are made of, or the data set itself."""
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
    """Put all samples of a data set into the cache, with a bar; those that are there are read and checked.

    Args:
        dataset: A data set with a :class:`CachedPipeline`.
        threads: How many threads decode.

    Raises:
        OSError: If there is no room for all samples, or the folder cannot be written.
        Exception: Whatever a step raises for a file.
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
    """Yield names and settings of the first steps, as long as their results are no random ones."""
    for step in steps:
        kind = type(step)
        if kind not in STEPS and not vars(kind).get('deterministic'):
            return
        try:
            yield [f'{kind.__module__}.{kind.__qualname__}', _told(sorted(vars(step).items()))]
        except TypeError:  # settings that no text tells
            return


def _told(value: Any) -> str:
    """Return a text that tells the value of plain types whole.

    Raises:
        TypeError: If it holds values of other types.
    """
    json.dumps(value)
    return repr(value)


def _differs(before: dict, name: str, value: Any) -> bool:
    return name not in before or isinstance(value, np.ndarray) or before[name] != value

"""Decoding of a sample of the images and labels of a data set."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset

from mmuda.checks.finding import one_line
from mmuda.datasets.class_presence import count_label, label_step
from mmuda.datasets.transforms import LoadDomainImage
from mmuda.progress import progress
from mmuda.zip_files import file_size

THREADS = 8
AHEAD = 256
"""Number of images that are given to the threads at a time."""


@dataclass
class Reading:
    """Results of decoding a sample of a data set.

    Attributes:
        classes: Names of the classes.
        complete: Whether all images were read.
        damaged: Error messages of files that cannot be decoded.
        unknown: Error messages of labels with values that the label table lacks, or of a format without ids.
        pixels: (C,) int64, number of pixels of each class; None without labels.
        has_labels: Whether the pipeline loads labels.
        label_bytes: Bytes of all label files that were read.
        label_pixels: Pixels of all these labels, ignored pixels included.
    """

    classes: tuple[str, ...]
    complete: bool
    damaged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    pixels: np.ndarray | None = None
    has_labels: bool = False
    label_bytes: int = 0
    label_pixels: int = 0

    @property
    def shares(self) -> np.ndarray:
        """Shares of the classes in the pixels that are not ignored, (C,) float64."""
        pixels = np.zeros(len(self.classes)) if self.pixels is None else self.pixels
        return pixels / max(pixels.sum(), 1)

    def content(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        shares = dict(zip(self.classes, self.shares.tolist(), strict=True)) if self.has_labels else None
        return dict(complete=self.complete, damaged=self.damaged, unknown=self.unknown, shares=shares)


class _Found(NamedTuple):
    damaged: list[str]
    unknown: str | None = None
    pixels: np.ndarray | None = None
    label_bytes: int = 0
    label_pixels: int = 0


def choose(total: int, images: int | None) -> list[int]:
    """Return the indices of some images, evenly spread over all; for None, the indices of all images."""
    if images is None or images >= total:
        return list(range(total))
    return np.linspace(0, total - 1, images).astype(int).tolist()


def read_images(dataset: BaseDataset, indices: Sequence[int], name: str) -> Reading:
    """Decode images and labels. Labels are loaded by the step of the data set's own pipeline, as in training.

    Args:
        dataset: The data set.
        indices: Indices of the images.
        name: Name of the data set, for the progress bar.
    """
    classes = tuple(dataset.metainfo.get('classes') or ())
    reading = Reading(classes, complete=len(indices) == len(dataset))
    try:
        step = label_step(dataset)
    except (TypeError, ValueError):
        step = None  # the pipeline loads no labels
    if step is not None:
        reading.has_labels, reading.pixels = True, np.zeros(len(classes), np.int64)
    load = _image_step(dataset)
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        parts = (indices[start : start + AHEAD] for start in range(0, len(indices), AHEAD))
        found = (one for part in parts for one in pool.map(partial(_read, dataset, load, step), part))
        for one in progress(found, len(indices), f'{name}, decoding'):
            _add(reading, one)
    return reading


def _image_step(dataset: BaseDataset) -> Any:
    """Return the first step of a data set's own pipeline, which loads the image.

    :class:`LoadDomainImage` replaces mmcv's own step, because it detects truncated files. Some decoders return half an
    image for half a file.
    """
    steps = dataset.pipeline.transforms
    if not steps:
        return LoadDomainImage(backend_args=getattr(dataset, 'backend_args', None))
    first = steps[0]
    if type(first) is not LoadImageFromFile:
        return first
    return LoadDomainImage(first.to_float32, first.color_type, first.imdecode_backend, first.backend_args)


def _read(dataset: BaseDataset, load: Any, step: Any, index: int) -> _Found:
    info = dataset.get_data_info(index)
    damaged = []
    try:
        load(info)
    except Exception as error:  # a decoder can raise anything
        damaged.append(one_line(error))
    if step is None or info.get('seg_map_path') is None:
        return _Found(damaged)
    try:
        pixels, height_by_width = count_label(dataset, step, index)
    except ValueError as error:  # unknown values, or a format that cannot hold ids
        return _Found(damaged, one_line(error))
    except Exception as error:
        return _Found([*damaged, one_line(error)])
    return _Found(damaged, None, pixels, file_size(info['seg_map_path']), height_by_width)


def _add(reading: Reading, one: _Found) -> None:
    reading.damaged += one.damaged
    reading.unknown += [one.unknown] if one.unknown else []
    if one.pixels is not None and reading.pixels is not None:
        reading.pixels += one.pixels
        reading.label_bytes += one.label_bytes
        reading.label_pixels += one.label_pixels

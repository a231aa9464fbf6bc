"""Classes of each image, counted once for each data set by reading all of its labels."""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import mmcv.transforms
import numpy as np
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmuda.constants import IGNORE_INDEX
from mmuda.progress import progress
from mmuda.ranks import from_main

from .cache import cache_dir, file_stamps, fingerprint, read_entry, write_entry
from .label_tables import get_label_table, ranges
from .transforms import LoadDomainAnnotations, LoadPseudoLabel

_KIND, _FORMAT = 'class_counts', 2
_THREADS = 8

AHEAD = 1024
"""Number of labels that are given to the threads at a time. An error is raised after at most this many labels."""

LABEL_STEPS = (LoadDomainAnnotations, LoadPseudoLabel, mmcv.transforms.LoadAnnotations)
"""Steps of a pipeline that load labels. The step of mmseg is a subclass of mmcv's."""


def classes_present(dataset: Dataset, min_pixels: int = 1) -> np.ndarray:
    """Return which classes are present in which images.

    Args:
        dataset: As for :func:`class_counts`.
        min_pixels: Smallest number of pixels with which a class counts as present.

    Returns:
        (images, C) bool.

    Raises:
        ValueError: If ``min_pixels`` is not positive. All errors of :func:`class_counts` are raised, too.
    """
    if min_pixels < 1:
        raise ValueError(f'min_pixels must be at least 1, but got {min_pixels}')
    return class_counts(dataset) >= min_pixels


def class_counts(dataset: Dataset) -> np.ndarray:
    """Return how many pixels of each class are in each label, before any augmentation.

    Every label is read once, by the step of the data set's own pipeline that loads labels. Label tables, channels and
    16-bit files are therefore handled as in training. The counts are kept in the cache folder (``MMUDA_CACHE_DIR``)
    until a name, file size, modification time, label table or class changes.

    All processes must call it: the main process reads the labels and sends the counts to the others.

    Args:
        dataset: A labelled mmengine ``BaseDataset``, or a ``ConcatDataset`` of them.

    Returns:
        (images, C) int32, in the order of the data set. Ignored pixels are not counted. Counts above 2^24 pixels of one
        class in one image are rounded, because OpenCV counts in float32.

    Raises:
        TypeError: If the data set is of another type.
        ValueError: If it has no classes, its pipeline loads no label, or a label has an id that is not a class.
        OSError: If a label cannot be read.
        RuntimeError: On other processes, if the main process failed.
    """
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([class_counts(part) for part in dataset.datasets])
    loader = label_step(dataset)
    return from_main(lambda: _remembered(dataset, loader))


def label_step(dataset: Dataset) -> mmcv.transforms.BaseTransform:
    """Return the step of a data set's pipeline that loads labels.

    Raises:
        TypeError: If the data set is not an mmengine ``BaseDataset``.
        ValueError: If it has no classes or its pipeline loads no label.
    """
    if not isinstance(dataset, BaseDataset):
        raise TypeError(
            'classes are counted in a BaseDataset of mmengine, or a ConcatDataset of them, but got '
            f'{type(dataset).__name__}: put wrappers around the pairs, not around the source'
        )
    if not dataset.metainfo.get('classes'):
        raise ValueError(f'{type(dataset).__name__} has no classes to count: set metainfo=dict(classes=...)')
    steps = [step for step in dataset.pipeline.transforms if isinstance(step, LABEL_STEPS)]
    if not steps:
        known = ', '.join(step.__name__ for step in LABEL_STEPS)
        raise ValueError(
            f'the pipeline of {type(dataset).__name__} loads no label, so its classes cannot be counted: '
            f'add one of the steps {known}'
        )
    step = steps[0]
    if isinstance(step, LoadPseudoLabel) and step.resize:
        step = copy.copy(step)
        step.resize = False  # the label is counted at the size of its file, and no image is loaded
    return step


def _remembered(dataset: BaseDataset, loader: mmcv.transforms.BaseTransform) -> np.ndarray:
    name, shape = type(dataset).__name__, (len(dataset), len(dataset.metainfo['classes']))
    key, lasting = _fingerprint(dataset, loader)
    kept = np.array(read_entry(_KIND, key) if lasting else None)
    if kept.shape == shape and kept.dtype.kind == 'i':
        return kept.astype(np.int32)
    where = f'once; the result is kept in {cache_dir()}' if lasting else 'every time: they are not on a local disk'
    print_log(f'{name}: looking for the classes in {shape[0]} labels ({where})', logger='current')
    counts = np.zeros(shape, np.int32)
    for index, row in enumerate(progress(_rows(dataset, loader), shape[0], f'{name}, classes', 'labels')):
        counts[index] = row
    if lasting:
        write_entry(_KIND, key, counts.tolist())
    return counts


def count_label(dataset: BaseDataset, loader: mmcv.transforms.BaseTransform, index: int) -> tuple[np.ndarray, int]:
    """Count the pixels of each class in one label, before any augmentation.

    Args:
        dataset: The data set.
        loader: The step of its pipeline that loads labels; see :func:`label_step`.
        index: Index of the image.

    Returns:
        (C,) int32 pixel counts without ignored pixels, and the number of all pixels.

    Raises:
        ValueError: If the label has an id that is not a class.
        OSError: If the label cannot be read.
    """
    num_classes, ignored = len(dataset.metainfo['classes']), getattr(dataset, 'ignore_index', IGNORE_INDEX)
    info = dataset.get_data_info(index)
    label = loader(info)['gt_seg_map']
    counts = cv2.calcHist([label], [0], None, [256], [0, 256]).ravel().astype(np.int32)
    if 0 <= ignored < 256:
        counts[ignored] = 0
    if counts[num_classes:].any():
        found = ranges((num_classes + np.flatnonzero(counts[num_classes:])).tolist())
        raise ValueError(
            f'{info.get("seg_map_path")} has the train ids {found}, but {type(dataset).__name__} has '
            f'the classes 0-{num_classes - 1}: correct its label table or its classes'
        )
    return counts[:num_classes], label.size


def _rows(dataset: BaseDataset, loader: mmcv.transforms.BaseTransform) -> Iterator[np.ndarray]:
    with ThreadPoolExecutor(_THREADS) as pool:
        # In blocks, so that an error is raised before all labels are read.
        for start in range(0, len(dataset), AHEAD):
            portion = range(start, min(start + AHEAD, len(dataset)))
            yield from (counts for counts, _ in pool.map(lambda index: count_label(dataset, loader, index), portion))


def _fingerprint(dataset: BaseDataset, loader: mmcv.transforms.BaseTransform) -> tuple[str, bool]:
    """Return a hash of everything that the counts depend on, and whether a change of the files can be detected."""
    meanings: dict[tuple, int] = {}
    samples = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        table = info.get('label_table')
        label_map = info.get('label_map') or {}
        meaning = (
            None if table is None else get_label_table(table),
            tuple(sorted(label_map.items())),
            *(info.get(key) for key in ('label_channel', 'reduce_zero_label', 'num_classes')),
        )
        samples.append((info.get('seg_map_path'), meanings.setdefault(meaning, len(meanings))))
    stamps = file_stamps([path for path, _ in samples])
    # mmseg's step copies this setting from the first sample. It is part of `meaning` already.
    settings = {key: value for key, value in vars(loader).items() if key != 'reduce_zero_label'}
    content = [
        _FORMAT,
        stamps,
        [meaning for _, meaning in samples],
        [repr(meaning) for meaning in meanings],
        type(loader).__name__,
        repr(sorted(settings.items())),
        list(dataset.metainfo['classes']),
        getattr(dataset, 'ignore_index', IGNORE_INDEX),
    ]
    lasting = all(stamp is not None and len(stamp) > 1 for stamp in stamps)
    return fingerprint(content), lasting

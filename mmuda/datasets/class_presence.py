"""Which image has which classes? Asked once per data set, by reading all of its labels."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import mmcv.transforms
import numpy as np
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmuda.files import write_atomically
from mmuda.progress import progress

from .label_tables import IGNORE, get_label_table, ranges
from .readers.file_check import CACHE_DIR_VARIABLE, _in_threads, _stamps, cache_dir
from .transforms import LoadDomainAnnotations, LoadPseudoLabel

_CACHE_FORMAT = 1
_THREADS = 8
_AHEAD = 1024

LABEL_STEPS = (LoadDomainAnnotations, LoadPseudoLabel, mmcv.transforms.LoadAnnotations)
"""Steps of a pipeline that load labels; those of mmseg are mmcv's."""


def classes_present(dataset: Dataset, min_pixels: int = 1) -> np.ndarray:
    """Which classes are in which images.

    Args:
        dataset: As for :func:`class_counts`; so are the errors.
        min_pixels: How many pixels of a class make it present.

    Returns:
        (images, C) bool.

    Raises:
        ValueError: If ``min_pixels`` is not positive.
    """
    if min_pixels < 1:
        raise ValueError(f'min_pixels must be at least 1, but got {min_pixels}')
    return class_counts(dataset) >= min_pixels


def class_counts(dataset: Dataset) -> np.ndarray:
    """How many pixels of each class are in each label, before any augmentation.

    Every label is read once, by the step of the data set's own pipeline that loads labels, so that label tables,
    channels and 16-bit files are those of training. The answer is kept in the cache folder (``MMUDA_CACHE_DIR``) for
    as long as no name, file size, modification time, label table or class changes.

    All processes must call it: rank 0 reads and tells the others.

    Args:
        dataset: A labelled mmengine ``BaseDataset``, or a ``ConcatDataset`` of them.

    Returns:
        (images, C) int32, in the order of the data set; ignored pixels are in no column. Counts above 2^24 of one
        class in one image are rounded.

    Raises:
        TypeError: If the data set is of another kind.
        ValueError: If it has no classes or its pipeline loads no label, or a label has an id that is no class.
        OSError: If a label cannot be read.
        RuntimeError: On other ranks, if rank 0 failed.
    """
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([class_counts(part) for part in dataset.datasets])
    loader = _label_step(dataset)
    shared: list = [None, None]
    failure: Exception | None = None
    if is_main_process():
        try:
            shared[0] = _remembered(dataset, loader)
        except Exception as error:  # the others must not wait for ever
            failure, shared[1] = error, f'{type(error).__name__}: {error}'
    broadcast_object_list(shared)
    if failure is not None:
        raise failure
    if shared[1] is not None:
        raise RuntimeError(f'rank 0 could not count the classes of {type(dataset).__name__}: {shared[1]}')
    return shared[0]


def _label_step(dataset: Dataset) -> mmcv.transforms.BaseTransform:
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
            f'the pipeline of {type(dataset).__name__} loads no label to find classes in: it needs one of '
            f'the steps {known}'
        )
    return steps[0]


def _remembered(dataset: BaseDataset, loader: mmcv.transforms.BaseTransform) -> np.ndarray:
    name, shape = type(dataset).__name__, (len(dataset), len(dataset.metainfo['classes']))
    fingerprint, lasting = _fingerprint(dataset, loader)
    path = cache_dir() / 'class_counts' / f'{fingerprint[:32]}.json'
    counts = _read_cache(path, fingerprint, shape) if lasting else None
    if counts is None:
        kept = f'once; the result is kept in {cache_dir()}' if lasting else 'every time: they are not on a local disk'
        print_log(f'{name}: looking for the classes in {shape[0]} labels ({kept})', logger='current')
        counts = np.zeros(shape, np.int32)
        for index, row in enumerate(progress(_rows(dataset, loader), shape[0], f'{name}, classes')):
            counts[index] = row
        if lasting:
            _write_cache(path, fingerprint, counts)
    return counts


def _rows(dataset: BaseDataset, loader: mmcv.transforms.BaseTransform) -> Iterator[np.ndarray]:
    num_classes, ignored = len(dataset.metainfo['classes']), getattr(dataset, 'ignore_index', IGNORE)

    def count(index: int) -> np.ndarray:
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
        return counts[:num_classes]

    with ThreadPoolExecutor(_THREADS) as pool:
        # In portions, so that an error does not have to wait for all labels.
        for start in range(0, len(dataset), _AHEAD):
            yield from pool.map(count, range(start, min(start + _AHEAD, len(dataset))))


def _fingerprint(dataset: BaseDataset, loader: mmcv.transforms.BaseTransform) -> tuple[str, bool]:
    """A hash of all that the answer depends on, and whether it can be told when the files change."""
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
    stamps = [stamp for chunk in _in_threads(_stamps, [(path,) for path, _ in samples]) for (stamp,) in chunk]
    # mmseg's step stores what it finds in the first sample; the samples have it too.
    settings = {key: value for key, value in vars(loader).items() if key != 'reduce_zero_label'}
    content = [
        _CACHE_FORMAT,
        stamps,
        [meaning for _, meaning in samples],
        [repr(meaning) for meaning in meanings],
        type(loader).__name__,
        repr(sorted(settings.items())),
        list(dataset.metainfo['classes']),
        getattr(dataset, 'ignore_index', IGNORE),
    ]
    lasting = all(stamp is not None and len(stamp) > 1 for stamp in stamps)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest(), lasting


def _checksum(counts: np.ndarray) -> str:
    return hashlib.sha256(counts.astype('<i4').tobytes()).hexdigest()


def _read_cache(path: Path, fingerprint: str, shape: tuple[int, int]) -> np.ndarray | None:
    """The counts in a file of :func:`_write_cache`; None for any other file."""
    try:
        stored = json.loads(path.read_text(encoding='utf-8'))
        counts = np.array(stored['counts'])
        if stored['fingerprint'] != fingerprint or counts.shape != shape or counts.dtype.kind != 'i':
            return None
        counts = counts.astype(np.int32)
        return counts if stored['checksum'] == _checksum(counts) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cache(path: Path, fingerprint: str, counts: np.ndarray) -> None:
    content = dict(fingerprint=fingerprint, checksum=_checksum(counts), counts=counts.tolist())
    try:
        write_atomically(path, json.dumps(content, separators=(',', ':')).encode())
    except OSError as error:
        # The answer itself is fine; it only has to be found again next time.
        print_log(
            f'{path.parent} cannot be written ({error}): all labels will be read again next time; set '
            f'{CACHE_DIR_VARIABLE} to a folder that can',
            logger='current',
        )

"""Check before training that labels contain the classes: otherwise the network learns nothing, at a loss of 0."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmuda.constants import IGNORE_INDEX
from mmuda.ranks import from_main
from mmuda.settings import shortened

from .class_presence import class_counts, count_label, label_step
from .image_files import read_image_bytes
from .label_files import decode_label
from .label_tables import get_label_table
from .transforms import LoadDomainAnnotations

COUNTED = 512
"""Largest number of labels that are all counted, and cached. Of larger data sets, :data:`SAMPLE` labels are read."""

SAMPLE, _THREADS, _LOOKED_AT, _LISTED = 64, 8, 8, 20


def check_classes_shown(dataset: Dataset, role: str) -> None:
    """Check that the labels of a data set contain its classes. All processes must call it.

    If all labels are counted, a warning lists the classes without a pixel.

    Args:
        dataset: The data set. Nothing is checked if it is unlabelled or some of its labels are missing.
        role: Its use, such as ``'source'``, for messages.

    Raises:
        ValueError: If it has two classes, the second one never occurs, and 255 is the only ignored value in the label
            files: the foreground is probably stored as 255. Or if a label that was read has an id that is not a class.
        OSError: If a label cannot be read.
    """
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            check_classes_shown(part, role)
        return
    if not isinstance(dataset, BaseDataset) or not len(dataset):
        return
    try:
        label_step(dataset)
    except ValueError:
        return  # it loads no label
    complete = len(dataset) <= COUNTED
    places = range(len(dataset)) if complete else np.linspace(0, len(dataset) - 1, SAMPLE).astype(int).tolist()
    if any(dataset.get_data_info(place).get('seg_map_path') is None for place in places):
        return  # images without labels, in a pipeline that loads labels only where they exist
    shown: Any = _shown(dataset, None if complete else places)
    if shown.all():
        return
    classes = tuple(dataset.metainfo['classes'])
    if shown.tolist() == [True, False] and from_main(lambda: _holds_0_and_255(dataset)):
        if not complete:
            shown = np.asarray(class_counts(dataset).any(axis=0))
        if not shown[1]:
            raise ValueError(
                f'{role}: the label files hold 0 and 255, such as {dataset.get_data_info(0).get("seg_map_path")}, and '
                f'255 is ignored, so no pixel is {classes[1]!r}: if 255 is {classes[1]!r}, set label_table={{0: 0, '
                '255: 1} in the data set'
            )
    elif complete:
        missing = [name for name, there in zip(classes, shown, strict=True) if not there]
        print_log(
            f'{role}: no label of {type(dataset).__name__} shows {", ".join(shortened(missing, _LISTED))}: '
            'check that label_table and classes fit the label files',
            'current',
            level=logging.WARNING,
        )


def _shown(dataset: BaseDataset, places: Sequence[int] | None) -> Any:
    """Return which classes occur in the labels at ``places``, or in any label if it is None, (C,) bool."""
    if places is None:
        return np.asarray(class_counts(dataset).any(axis=0))
    loader = label_step(dataset)

    def look() -> list[bool]:
        with ThreadPoolExecutor(_THREADS) as pool:
            rows = list(pool.map(lambda place: count_label(dataset, loader, place)[0], places))
        return np.sum(rows, axis=0).astype(bool).tolist()

    return np.array(from_main(look))


def _holds_0_and_255(dataset: BaseDataset) -> bool:
    """Return whether 255 is the only value in the first label files that is ignored."""
    loader = label_step(dataset)
    table = getattr(loader, 'table', None) or dataset.get_data_info(0).get('label_table')
    if not isinstance(loader, LoadDomainAnnotations) or table is None or get_label_table(table).colours:
        return False
    found: set[int] = set()
    for index in range(min(len(dataset), _LOOKED_AT)):
        info = dataset.get_data_info(index)
        label = loader(dict(info))['gt_seg_map']
        path = info['seg_map_path']
        channel = info.get('label_channel') if loader.channel is None else loader.channel
        raw = decode_label(
            read_image_bytes(path, loader.backend_args, info.get('max_pixels', loader.max_pixels)), path, channel
        )
        found |= set(np.unique(raw[label == IGNORE_INDEX]).tolist())
    return found == {IGNORE_INDEX}

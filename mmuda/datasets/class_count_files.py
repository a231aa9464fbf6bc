"""Pixels of each class in each label, from the JSON files that the converters of DAFormer and its successors write."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log

from mmuda.constants import IGNORE_INDEX

NAMES = ('sample_class_stats.json', 'sample_class_stats_dict.json', 'samples_with_class.json')
"""Files that a converter writes; each holds the whole table."""

_LABEL_SUFFIX = re.compile(r'_label(TrainIds|Ids|ids)$')

Table = dict[str, dict[int, int]]
"""Pixels by class, by the name of a label."""


def read_class_counts(path: str | Path, dataset: BaseDataset | ConcatDataset) -> np.ndarray:
    """Return how many pixels of each class the labels of a data set have, as another code base counted them.

    Labels are recognised by their file names without folder, type and ``_labelTrainIds`` or ``_labelIds``. Classes of
    the files are Cityscapes train ids, or those of the data set if it has all of its classes.

    Args:
        path: A file named as in :data:`NAMES`, or a folder that has one.
        dataset: A labelled mmengine ``BaseDataset``, or a ``ConcatDataset`` of them.

    Returns:
        (images, C) int64, in the order of the data set.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, names two labels alike, counts a class that does not exist, or lacks a label
            of the data set.
    """
    file = _find(Path(path))
    table = _tabulate(_read(file), file)
    counts = _select(table, dataset, file)
    unused = len(table) - len(counts)
    if unused > 0:
        print_log(f'{file} counts {unused} labels that are not in the data set: they are left out', logger='current')
    return counts


def _find(path: Path) -> Path:
    if path.is_dir():
        path = next((path / name for name in NAMES if (path / name).is_file()), path / NAMES[0])
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist: name a folder with {" or ".join(NAMES)}, or leave statistics out to count the '
            'labels themselves'
        )
    return path


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{file} is no JSON file ({error}): copy it again, or leave statistics out') from error


def _tabulate(content: Any, file: Path) -> Table:
    """Return the table that any of the three forms holds."""
    table: Table = {}
    try:
        if isinstance(content, list):  # [{'file': name, class: pixels, ...}, ...]
            rows = [(row['file'], {key: value for key, value in row.items() if key != 'file'}) for row in content]
        elif all(key.isdigit() for key in content):  # {class: [[name, pixels], ...], ...}
            found: dict[str, dict[str, int]] = {}
            for label, samples in content.items():
                for name, pixels in samples:
                    found.setdefault(name, {})[label] = pixels
            rows = list(found.items())
        else:  # {name: {class: pixels, ...}, ...}
            rows = list(content.items())
        for name, pixels_by_class in rows:
            key = _key(name)
            if key in table:
                raise ValueError(f'{file} counts two labels named {key}: it belongs to no single data set')
            table[key] = {int(label): int(pixels) for label, pixels in pixels_by_class.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f'{file} is none of the files {", ".join(NAMES)} of DAFormer ({type(error).__name__}: {error}): leave '
            'statistics out'
        ) from error
    return table


def _key(name: str) -> str:
    return _LABEL_SUFFIX.sub('', Path(name).stem)


def _select(table: Table, dataset: BaseDataset | ConcatDataset, file: Path) -> np.ndarray:
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([_select(table, part, file) for part in dataset.datasets])
    counts = np.zeros((len(dataset), len(dataset.metainfo['classes'])), np.int64)
    keys = [_key(dataset.get_data_info(index)['seg_map_path']) for index in range(len(dataset))]
    missing = [key for key in keys if key not in table]
    if missing and (
        file.name != NAMES[2] or len(missing) == len(keys)
    ):  # a label without any class is in no list there
        raise ValueError(
            f'{file} lacks {len(missing)} of {len(keys)} labels of {type(dataset).__name__}, the first is '
            f'{missing[0]}: it was written for other data; leave statistics out'
        )
    label_map: Mapping[int, int] = getattr(dataset, 'label_map', None) or {}
    for row, key in zip(counts, keys, strict=True):
        for label, pixels in table.get(key, {}).items():
            label = label_map.get(label, label)
            if label == IGNORE_INDEX:
                continue
            if not 0 <= label < len(row):
                raise ValueError(
                    f'{file} counts class {label} in {key}, but {type(dataset).__name__} has the classes '
                    f'0-{len(row) - 1}: it was written for other classes; leave statistics out'
                )
            row[label] += pixels  # several classes of the file may be one here
    return counts

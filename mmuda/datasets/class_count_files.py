"""Pixel counts of the classes in each label, from the JSON files of the converters of DAFormer and its successors."""

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
"""Files that a converter writes. Each of them holds the whole table, in a format of its own."""

_LABEL_SUFFIX = re.compile(r'_label(TrainIds|Ids|ids)$')

Table = dict[str, dict[int, int]]
"""Number of pixels by class id, by the name of the label."""


def read_class_counts(path: str | Path, dataset: BaseDataset | ConcatDataset) -> np.ndarray:
    """Read how many pixels of each class the labels of a data set have, as another code base counted them.

    Labels are recognised by their file names without folder, suffix and ``_labelTrainIds`` or ``_labelIds``. The class
    ids in the files are train ids in the full class list of the reader (Cityscapes' for most readers). They are mapped
    to the classes that the config selects.

    Args:
        path: A file with one of the :data:`NAMES`, or a folder with such a file.
        dataset: A labelled mmengine ``BaseDataset``, or a ``ConcatDataset`` of them.

    Returns:
        (images, C) int64, in the order of the data set.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has another format, has two labels of one name, counts a class that does not exist, or
            lacks a label of the data set.
    """
    file = _find(Path(path))
    table = _tabulate(_read(file), file)
    counts = _select(table, dataset, file)
    parts = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    unused = set(table).difference(*map(_keys, parts))
    if unused:
        print_log(
            f'{file} counts {len(unused)} labels that are not in the data set: they are left out', logger='current'
        )
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
    """Return the table of a file in any of the three formats."""
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
                raise ValueError(f'{file} counts two labels named {key}: leave statistics out')
            table[key] = {int(label): int(pixels) for label, pixels in pixels_by_class.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f'{file} is none of the files {", ".join(NAMES)} of DAFormer ({type(error).__name__}: {error}): leave '
            'statistics out'
        ) from error
    return table


def _key(name: str) -> str:
    return _LABEL_SUFFIX.sub('', Path(name).stem)


def _keys(dataset: BaseDataset) -> list[str]:
    return [_key(dataset.get_data_info(index)['seg_map_path']) for index in range(len(dataset))]


def _select(table: Table, dataset: BaseDataset | ConcatDataset, file: Path) -> np.ndarray:
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([_select(table, part, file) for part in dataset.datasets])
    counts = np.zeros((len(dataset), len(dataset.metainfo['classes'])), np.int64)
    keys = _keys(dataset)
    missing = [key for key in keys if key not in table]
    if missing and (
        file.name != NAMES[2] or len(missing) == len(keys)
    ):  # this file does not list labels without any class
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
            row[label] += pixels  # a class_map can merge several classes of the file
    return counts

"""Data sets of a config: found, counted, measured, their pairs compared, a sample of them read."""

import copy
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from mmuda.checks.building import one_line
from mmuda.checks.data import datasets_of
from mmuda.checks.registries import find
from mmuda.datasets import build_dataset
from mmuda.datasets.cache import fingerprint, map_in_threads
from mmuda.datasets.image_files import image_size
from mmuda.datasets.readers import RawSegDataset
from mmuda.datasets.readers.file_check import find_problems
from mmuda.settings import comparable
from mmuda.stages.references import references

from .findings import stage_place, trainings
from .images import Reading, choose, read_images
from .rows import ERROR, OK, SKIPPED, WARNING, Section, count, some

BYTES_OF_A_COUNT = 9
"""Bytes in the cache for each class of each label: seven digits, a comma and a space."""


@dataclass
class DataSets:
    """Data sets of all trainings of a config.

    Attributes:
        section: The report.
        lengths: Images by place in the config, such as ``'train_dataloader.dataset.source'``.
        broken: Places of data sets that cannot be used, with the reason.
        readings: What was found in the images, by place.
        pixels: Pixels of the most frequent size of target images; 0 if it is not known.
        missing: Folders that do not exist, and that there was an error about.
    """

    section: Section = field(default_factory=lambda: Section('data'))
    lengths: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    pixels: int = 0
    missing: set[str] = field(default_factory=set)


def examine_datasets(cfg: Config, images: int | None, fast: bool = False) -> DataSets:
    """Look at the data sets of a config.

    Args:
        cfg: The config.
        images: How many images of each data set are decoded; None decodes all.
        fast: Read no file; only count the names.
    """
    result = DataSets()
    first: dict[str, str] = {}
    for place, node in _all_datasets(cfg):
        same = first.setdefault(fingerprint(comparable({**node, 'pipeline': None})), place)
        if same == place:
            _examine(result, place, node, images, fast)
        elif same in result.lengths:  # another training with the same images
            result.lengths[place] = result.lengths[same]
        elif same in result.broken:
            result.broken[place] = result.broken[same]
    _add_shares(result)
    return result


def examined_places(cfg: Config) -> Iterator[str]:
    """Yield the places of data sets about which this section has an error if there is one."""
    for place, node in _all_datasets(cfg):
        if 'test_dataloader' not in place and not list(references(node)):
            yield place


def short_place(place: str) -> str:
    """Return a place without what all places have: ``'train.source'``, ``'adapt: val'``."""
    return re.sub(r"stage '([^']+)'", r'\1', place.replace('_dataloader.dataset', ''))


def build_unchecked(node: dict) -> Any:
    """Build a data set without its own check of all files.

    Raises:
        Exception: Any that its class raises.
    """
    node = copy.deepcopy(node)
    kind = find(node.get('type'), DATASETS)
    if isinstance(kind, type) and issubclass(kind, RawSegDataset):
        node['check_sizes'] = False
    return build_dataset(node)


def _all_datasets(cfg: Config) -> Iterator[tuple[str, dict]]:
    """Yield place and config of the data sets of all trainings, named as in findings."""
    for name, training in trainings(cfg):
        for place, node in datasets_of(training):
            yield f'{stage_place(name)}{place}', node


def _examine(result: DataSets, place: str, node: dict, images: int | None, fast: bool) -> None:
    name = short_place(place)
    if list(references(node)):
        result.section.add(name, 'is made of results of an earlier stage', SKIPPED)
        return
    try:
        dataset = build_unchecked(node)
    except Exception as error:  # whatever a class raises for its files
        result.broken[place] = one_line(error)
        _add_broken(result, place, node)
        return
    result.lengths[place] = len(dataset)
    if isinstance(dataset, BaseDataset):
        _examine_files(result, place, dataset, images, fast)
    else:
        result.section.add(name, f'{type(dataset).__name__}, {count(len(dataset), "item")}')


def _add_broken(result: DataSets, place: str, node: dict) -> None:
    """Add a data set that cannot be used; a folder that is missing for several is one error."""
    name, root = short_place(place), _missing_root(node.get('data_root'))
    if root is not None and root in result.missing:
        result.section.add(name, f'{node["data_root"]} is missing, too: there is no {root}', SKIPPED)
        return
    if root is not None:
        result.missing.add(root)
    needed = 'test_dataloader' not in place
    message, cut, rest = result.broken[place].partition(' does not exist')
    remedy = rest.lstrip(' .:,') if needed else 'the training itself needs no test images'
    result.section.add(name, message + cut, ERROR if needed else WARNING, remedy)


def _missing_root(folder: str | None) -> str | None:
    """Return the highest folder of a path that does not exist; None if all exist."""
    if not folder or '://' in folder:
        return None
    path = Path(folder)
    return next((str(part) for part in (*reversed(path.parents), path) if not part.exists()), None)


def _examine_files(result: DataSets, place: str, dataset: BaseDataset, images: int | None, fast: bool) -> None:
    section, name = result.section, short_place(place)
    total = len(dataset)
    infos = [dataset.get_data_info(index) for index in range(total)]
    labelled = sum('seg_map_path' in info for info in infos)
    labels = 'with labels' if labelled == total else 'without labels' if not labelled else f'{labelled} with labels'
    where = dataset.data_root or dict(dataset.data_prefix).get('img_path', '')
    section.add(name, f'{type(dataset).__name__}, {count(total, "image")} {labels}, {where}')
    if fast or (getattr(dataset, 'backend_args', None) or {}).get('backend', 'local') != 'local':
        reason = '--fast' if fast else 'the files are not on a local disk'
        section.add(f'{name}: files', f'not read ({reason})', SKIPPED)
        return
    pairs = [(info['img_path'], info.get('seg_map_path')) for info in infos]
    _add_pairs(section, name, dataset, pairs)
    chosen = choose(total, images)
    pixels = _add_sizes(section, name, [pairs[index][0] for index in chosen], total)
    if place.endswith('train_dataloader.dataset.target'):
        result.pixels = result.pixels or pixels
    reading = result.readings[place] = read_images(dataset, chosen, name)
    section.facts[place] = reading.content()
    part = f'{count(len(chosen), "image")} of {total:,} decoded' if len(chosen) < total else f'all {total:,} decoded'
    _add_problems(section, f'{name}: files', reading.damaged, part, 'copy or download them again')
    if labelled and reading.has_labels:
        table = getattr(dataset, 'label_table', None)
        fine = f'{part}, values fit' + (f' the label table {table.name!r}' if table is not None else '')
        _add_problems(section, f'{name}: label values', reading.unknown, fine)


def _add_pairs(section: Section, name: str, dataset: BaseDataset, pairs: list[tuple[str, str | None]]) -> None:
    """Compare the headers of all images and labels, as the data set does before a training."""
    found = find_problems(pairs, type(dataset).__name__)
    if not getattr(dataset, 'same_size', True):
        found = {index: one for index, one in found.items() if one.kind != 'sizes differ'}
    if not found:
        if any(label for _, label in pairs):
            section.add(f'{name}: pairs', f'all {len(pairs):,} images and labels are there and have equal sizes')
        return
    kinds = ', '.join(f'{kind}: {number}' for kind, number in Counter(one.kind for one in found.values()).items())
    skipped = getattr(dataset, 'mismatched', None) == 'skip'
    first = next(iter(found.values())).detail
    remedy = 'they are left out' if skipped else "repair them, or leave them out: mismatched='skip' in the data set"
    section.add(
        f'{name}: pairs', f'{len(found)} of {len(pairs):,} ({kinds}); {first}', WARNING if skipped else ERROR, remedy
    )


def _add_sizes(section: Section, name: str, paths: list[str], total: int) -> int:
    """Count the sizes in the headers of images; return the pixels of the most frequent one."""
    sizes = Counter(size for size in map_in_threads(_size, paths) if size is not None)
    if not sizes:
        return 0
    told = [
        f'{width}x{height}' + (f' ({number})' if len(sizes) > 1 else '')
        for (width, height), number in sizes.most_common()
    ]
    of = '' if len(paths) == total else f', of {count(len(paths), "image")}'
    section.add(f'{name}: sizes', f'{some(told, 4)}{of}')
    width, height = sizes.most_common(1)[0][0]
    return width * height


def _size(path: str) -> tuple[int, int] | None:
    try:
        return image_size(path)
    except (OSError, SyntaxError, ValueError):
        return None  # found as one that does not decode


def _add_problems(section: Section, item: str, problems: list[str], fine: str, remedy: str = '') -> None:
    if not problems:
        section.add(item, fine)
        return
    more = f'; so do {len(problems) - 1} more' if len(problems) > 1 else ''
    section.add(item, f'{problems[0]}{more}', ERROR, remedy)


def _add_shares(result: DataSets) -> None:
    """Add the share of each class in the source and in the validation, and the classes that the source never shows."""
    counted = {place: one for place, one in result.readings.items() if one.pixels is not None and one.pixels.any()}
    if not counted:
        return
    first = next(iter(counted.values()))
    counted = {place: one for place, one in counted.items() if one.classes == first.classes}
    lines = [['class', *(short_place(place) for place in counted)]]
    for number, label in enumerate(first.classes):
        lines.append([label, *(f'{100 * one.shares[number]:.2f} %' for one in counted.values())])
    result.section.tables['shares of classes in the labels that were read'] = lines
    for place, one in counted.items():
        if 'train_dataloader' in place:
            _add_missing(result.section, short_place(place), one)


def _add_missing(section: Section, name: str, reading: Reading) -> None:
    missing = [label for label, share in zip(reading.classes, reading.shares, strict=True) if not share]
    if not missing:
        section.add(f'{name}: classes', f'all {len(reading.classes)} are shown')
    elif reading.complete:
        remedy = 'nothing can be learned about them here: check the label table, or leave them out of the classes'
        section.add(f'{name}: classes', f'never shown: {", ".join(missing)}', WARNING, remedy)
    else:
        section.add(
            f'{name}: classes', f'not in the sample: {", ".join(missing)}', OK, '--images all looks at all labels'
        )


def label_size(readings: dict[str, Reading]) -> float | None:
    """Return the mean bytes of a label file for each of its pixels; None if no label was read."""
    read = [one for one in readings.values() if one.label_pixels]
    pixels = sum(one.label_pixels for one in read)
    return sum(one.label_bytes for one in read) / pixels if pixels else None


def cache_size(result: DataSets) -> int:
    """Return the bytes that the class counts of all labels may take in the cache folder."""
    return sum(
        BYTES_OF_A_COUNT * result.lengths[place] * len(one.classes)
        for place, one in result.readings.items()
        if 'train_dataloader' in place and one.has_labels
    )

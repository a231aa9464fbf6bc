"""Examination of the data sets of a config: numbers and sizes of images, pairs of image and label, a decoded sample."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset

from mmuda.checks.data import TEST, datasets_of
from mmuda.checks.finding import of_stage, one_line, split_stage
from mmuda.datasets.cache import fingerprint, map_in_threads
from mmuda.datasets.image_files import image_size
from mmuda.datasets.summary import summary
from mmuda.settings import comparable
from mmuda.stages.references import references

from .findings import trainings
from .images import Reading, choose, read_images
from .pairs import build_unchecked, has_local_files, kept_images, pairs_of, problems_of
from .rows import ERROR, OK, SKIPPED, WARNING, Section, count, some

_SEE_CONFIG = 'correct the config of this data set, or its files'


@dataclass
class DataSets:
    """Data sets of all trainings of a config.

    Attributes:
        section: The section of the report.
        lengths: Number of images by place in the config, such as ``'train_dataloader.dataset.source'``.
        broken: Reasons why data sets cannot be used, by place.
        readings: Results of decoding a sample, by place.
        pixels: Pixels of the most frequent size of target images; 0 if it is not known.
        missing: Folders that do not exist and already have an error in the report.
    """

    section: Section = field(default_factory=lambda: Section('data'))
    lengths: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    pixels: int = 0
    missing: set[str] = field(default_factory=set)


def examine_datasets(cfg: Config, images: int | None, fast: bool = False) -> DataSets:
    """Examine the data sets of a config.

    Args:
        cfg: The config.
        images: Number of images of each data set to decode; None decodes all.
        fast: Whether to count images without reading them.
    """
    result = DataSets()
    first: dict[str, str] = {}
    # Test data sets come last, so that problems of images that a training also uses are errors.
    for place, node in sorted(_all_datasets(cfg), key=lambda found: TEST in found[0]):
        same = first.setdefault(fingerprint([comparable({**node, 'pipeline': None}), _locations(node)]), place)
        if same == place:
            _examine(result, place, node, images, fast)
        elif same in result.lengths:  # another training with the same images
            result.lengths[place] = result.lengths[same]
        elif same in result.broken:
            result.broken[place] = result.broken[same]
    _add_shares(result)
    return result


def examined_places(cfg: Config) -> Iterator[str]:
    """Yield the places of the data sets that :func:`examine_datasets` builds and that a training needs."""
    for place, node in _all_datasets(cfg):
        if TEST not in place and not list(references(node)):
            yield place


def _locations(node: Any) -> list:
    """Return the roots and file backends in the config of a data set, which :func:`comparable` leaves out."""
    if isinstance(node, dict):
        own = [(key, repr(node[key])) for key in ('data_root', 'backend_args') if node.get(key) is not None]
        return own + [[key, found] for key, value in node.items() if key != 'pipeline' and (found := _locations(value))]
    return [found for value in node if (found := _locations(value))] if isinstance(node, (list, tuple)) else []


def short_place(place: str) -> str:
    """Return a place without the part that all places share, such as ``'train.source'`` or ``'adapt: val'``."""
    stage, inside = split_stage(place)
    return (f'{stage}: ' if stage else '') + inside.replace('_dataloader.dataset', '')


def _all_datasets(cfg: Config) -> Iterator[tuple[str, dict]]:
    """Yield place and config of the data sets of all trainings, named as in findings."""
    for name, training in trainings(cfg):
        for place, node in datasets_of(training):
            yield f'{of_stage(name)}{place}', node


def _examine(result: DataSets, place: str, node: dict, images: int | None, fast: bool) -> None:
    name = short_place(place)
    if list(references(node)):
        result.section.add(name, 'is made of results of an earlier stage', SKIPPED)
        return
    try:
        dataset = build_unchecked(node)
        kept = None if fast else kept_images(node)
        if kept is not None:
            dataset = build_unchecked({**node, 'indices': kept})
    except Exception as error:  # a class can raise anything
        result.broken[place] = one_line(error)
        _add_broken(result, place, node)
        return
    result.lengths[place] = len(dataset)
    if not isinstance(dataset, BaseDataset):
        result.section.add(name, f'{type(dataset).__name__}, {count(len(dataset), "item")}')
        return
    whole = dataset if kept is None else build_unchecked({**node, 'indices': None})
    _examine_files(result, place, dataset, whole, images, fast)


def _add_broken(result: DataSets, place: str, node: dict) -> None:
    """Add a row for a data set that cannot be used. A missing folder of several data sets is only one error."""
    name, root = short_place(place), _missing_root(node.get('data_root'))
    if root is not None and root in result.missing:
        result.section.add(name, f'{node["data_root"]} is missing, too: there is no {root}', SKIPPED)
        return
    needed = _level(place) == ERROR
    if root is not None and needed:
        result.missing.add(root)
    message, cut, rest = result.broken[place].partition(' does not exist')
    remedy = rest.lstrip(' .:,') or _SEE_CONFIG if needed else 'the training itself needs no test images'
    result.section.add(name, message + cut, _level(place), remedy)


def _level(place: str) -> str:
    """Return the verdict for a problem of a data set: a warning for test images, which no training needs."""
    return WARNING if TEST in place else ERROR


def _missing_root(folder: str | None) -> str | None:
    """Return the highest folder of a path that does not exist; None if all exist."""
    if not folder or '://' in folder:
        return None
    path = Path(folder)
    return next((str(part) for part in (*reversed(path.parents), path) if not part.exists()), None)


def _examine_files(
    result: DataSets, place: str, dataset: BaseDataset, whole: BaseDataset, images: int | None, fast: bool
) -> None:
    """Examine the files of a data set.

    Args:
        result: Results, to which those of this data set are added.
        place: Place of the data set in the config.
        dataset: The data set with the images that a training uses.
        whole: The data set with the pairs that are left out, too.
        images: Number of images to decode; None decodes all.
        fast: Whether to read no file.
    """
    section, name, level = result.section, short_place(place), _level(place)
    total = len(dataset)
    pairs = pairs_of(dataset)
    labelled = sum(label is not None for _, label in pairs)
    section.add(name, summary(dataset))
    reason = '--fast' if fast else '' if has_local_files(dataset) else 'the files are not on a local disk'
    if not all(image for image, _ in pairs):
        reason = 'it has no image files'
    if reason:
        section.add(f'{name}: files', f'not read ({reason})', SKIPPED)
        return
    _add_pairs(section, name, level, whole)
    chosen = choose(total, images)
    pixels = _add_sizes(section, name, [pairs[index][0] for index in chosen], total)
    if place.endswith('train_dataloader.dataset.target'):
        result.pixels = result.pixels or pixels
    reading = result.readings[place] = read_images(dataset, chosen, name)
    section.facts[place] = reading.content()
    part = f'{count(len(chosen), "image")} of {total:,} decoded' if len(chosen) < total else f'all {total:,} decoded'
    _add_problems(section, f'{name}: files', reading.damaged, part, level, 'copy or download them again')
    if labelled and reading.has_labels:
        table = getattr(dataset, 'label_table', None)
        fine = f'{part}, values fit' + (f' the label table {table.name!r}' if table is not None else '')
        remedy = 'give the data set the label table of its files, or ignore the ids'
        _add_problems(section, f'{name}: label values', reading.unknown, fine, level, remedy)


def _add_pairs(section: Section, name: str, level: str, dataset: BaseDataset) -> None:
    pairs = pairs_of(dataset)
    found = problems_of(dataset, pairs)
    if not found:
        if any(label for _, label in pairs):
            section.add(f'{name}: pairs', f'all {len(pairs):,} images and labels are there and have equal sizes')
        return
    kinds = ', '.join(f'{kind}: {number}' for kind, number in Counter(one.kind for one in found.values()).items())
    skipped = getattr(dataset, 'mismatched', None) == 'skip'
    first = next(iter(found.values())).detail
    remedy = 'they are left out' if skipped else "repair them, or leave them out: mismatched='skip' in the data set"
    section.add(
        f'{name}: pairs', f'{len(found)} of {len(pairs):,} ({kinds}); {first}', WARNING if skipped else level, remedy
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
        return None  # read_images reports a file that cannot be decoded


def _add_problems(section: Section, item: str, problems: list[str], fine: str, level: str, remedy: str) -> None:
    if not problems:
        section.add(item, fine)
        return
    others = len(problems) - 1
    more = f'; {count(others, "more file")} {"has" if others == 1 else "have"} such problems' if others else ''
    section.add(item, f'{problems[0]}{more}', level, remedy)


def _add_shares(result: DataSets) -> None:
    """Add a table with the share of each class in the labels of each data set, and rows for classes without pixels."""
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
        section.add(f'{name}: classes', f'all {len(reading.classes)} occur')
    elif reading.complete:
        remedy = 'nothing can be learned about them here: check the label table, or leave them out of the classes'
        section.add(f'{name}: classes', f'never occur: {", ".join(missing)}', WARNING, remedy)
    else:
        section.add(f'{name}: classes', f'not in the sample: {", ".join(missing)}', OK, '--images all reads all labels')

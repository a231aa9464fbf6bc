"""Pairs of image and label of a data set, and the pairs among them that a training can use."""

import copy
from typing import Any

from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from mmuda.checks.registries import find
from mmuda.datasets import build_dataset
from mmuda.datasets.readers import RawSegDataset
from mmuda.datasets.readers.file_check import DIFFERENT, Problem, find_problems
from mmuda.zip_files import is_local


def build_unchecked(node: dict) -> Any:
    """Build a data set without its own check of all files.

    Raises:
        Exception: Any error of its class.
    """
    node = copy.deepcopy(node)
    leave_unchecked(node)
    return build_dataset(node)


def leave_unchecked(node: dict) -> None:
    """Change the config of a data set so that building it checks no files."""
    if _is_raw(node):
        node['check_sizes'] = False


def _is_raw(node: dict) -> bool:
    kind = find(node.get('type'), DATASETS)
    return isinstance(kind, type) and issubclass(kind, RawSegDataset)


def kept_images(node: dict) -> list[int] | None:
    """Return the indices (among all images) of the images that a data set with ``mismatched='skip'`` trains with.

    Args:
        node: Config of a data set. Its ``indices`` count only the images that are not left out.

    Returns:
        The indices; None for a data set that leaves nothing out.

    Raises:
        ValueError: If no pair is left.
        Exception: Any error of the class of the data set.
    """
    if not _is_raw(node) or node.get('mismatched') != 'skip' or not node.get('check_sizes', True):
        return None
    dataset = build_unchecked({**node, 'indices': None})
    problems = problems_of(dataset, pairs_of(dataset)) if has_local_files(dataset) else {}
    good = [index for index in range(len(dataset)) if index not in problems]
    if not good:
        first = next(iter(problems.values())).detail
        raise ValueError(f'{type(dataset).__name__}: no pair is left of {len(problems)}, all have problems; {first}')
    given = node.get('indices')
    if given is None:
        return good
    if isinstance(given, int):
        return good[:given] if given >= 0 else good[given:]
    return [good[index] for index in given]


def pairs_of(dataset: BaseDataset) -> list[tuple[str, str | None]]:
    """Return the paths of each image and its label: '' if the image is not a file, None if there is no label."""
    infos = map(dataset.get_data_info, range(len(dataset)))
    return [(info.get('img_path') or '', info.get('seg_map_path')) for info in infos]


def has_local_files(dataset: BaseDataset) -> bool:
    """Return whether the files are on a local disk, by the rule of :class:`RawSegDataset`."""
    return is_local(dict(dataset.data_prefix).get('img_path', ''), getattr(dataset, 'backend_args', None))


def problems_of(dataset: BaseDataset, pairs: list[tuple[str, str | None]]) -> dict[int, Problem]:
    """Return the problems that the headers of images and labels show, by index, as the data set does before a run."""
    found = find_problems(pairs, type(dataset).__name__, getattr(dataset, 'oriented', True))
    if getattr(dataset, 'same_size', True):
        return found
    return {index: one for index, one in found.items() if one.kind != DIFFERENT}

"""One line about each data set: its folder, its number of images, and the files that were left out."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import BaseDataset, ConcatDataset

from .pairs.domain_pair import DomainSides
from .readers.folders import told_counts


def summaries(dataset: Any, role: str = '') -> Iterator[str]:
    """Yield one line for each mmengine ``BaseDataset`` in a data set.

    Args:
        dataset: A ``BaseDataset``, a ``ConcatDataset``, or pairs or a union of domains.
        role: Use of the data set, such as ``'source'``.
    """
    if isinstance(dataset, DomainSides):
        for side, part in dataset.sides().items():
            yield from summaries(part, side)
    elif isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from summaries(part, role)
    elif isinstance(dataset, BaseDataset):
        yield summary(dataset, role)


def summary(dataset: BaseDataset, role: str = '') -> str:
    """Return the line about one data set: folder, images, labelled images, and files left out with the reasons."""
    count = len(dataset)
    labelled = sum('seg_map_path' in dataset.get_data_info(index) for index in range(count))
    labels = 'all labelled' if labelled == count else f'{labelled:,} labelled' if labelled else 'without labels'
    where = getattr(dataset, 'labels', None) or dict(dataset.data_prefix).get('img_path') or dataset.data_root or ''
    where = where.rstrip('/')
    if dataset.ann_file:
        where = f'{dataset.ann_file} of {where}' if where else dataset.ann_file
    left_out = getattr(dataset, 'left_out', None)
    told = f'; left out: {told_counts(left_out)}' if left_out else ''
    name = f'{role}: ' if role else ''
    place = f'{type(dataset).__name__}, {where}' if where else type(dataset).__name__
    images = f'{count:,} image{"" if count == 1 else "s"}'
    return f'{name}{place}: {images}, {labels}{told}'

"""One line about each data set: where it is, how many images it has, and what was left out."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset, ConcatDataset

from .image_files import IMAGE_SUFFIXES
from .pairs.domain_pair import DomainSides


def summaries(dataset: Any, role: str = '') -> Iterator[str]:
    """Yield a line for each data set that holds images itself.

    Args:
        dataset: A data set, pairs of two, or several behind one another.
        role: What it is used for, such as ``'source'``.
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
    """Return the line about one data set: folder, images, labelled images, what was left out and why."""
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    count, labelled = len(infos), sum(info.get('seg_map_path') is not None for info in infos)
    labels = 'all labelled' if labelled == count else f'{labelled:,} labelled' if labelled else 'without labels'
    where = getattr(dataset, 'labels', None) or dict(dataset.data_prefix).get('img_path') or dataset.data_root or ''
    where = where.rstrip('/')
    if dataset.ann_file:
        where = f'{dataset.ann_file} of {where}' if where else dataset.ann_file
    left = _left_out(dataset, {str(info.get('img_path')) for info in infos})
    told = ', '.join(f'{number:,} {reason}' for reason, number in left.most_common())
    name = f'{role}: ' if role else ''
    place = f'{type(dataset).__name__}, {where}' if where else type(dataset).__name__
    images = f'{count:,} image{"" if count == 1 else "s"}'
    return f'{name}{place}: {images}, {labels}' + (f'; left out: {told}' if told else '')


def _left_out(dataset: BaseDataset, images: set[str]) -> Counter[str]:
    """Return how many files a data set leaves out, by reason.

    These are pairs that its check refused, and images in its folder whose names do not end as ``img_suffix`` says.
    """
    reasons = Counter(getattr(dataset, 'left_out', {}))
    suffix, folder = getattr(dataset, 'img_suffix', None), dict(dataset.data_prefix).get('img_path')
    if not suffix or dataset.ann_file or not folder or not os.path.isdir(folder):
        return reasons
    ends = suffix if isinstance(suffix, str) else tuple(suffix)
    for path in _images(folder):
        if not path.endswith(ends) and path not in images:
            reasons[f'*{Path(path).suffix}, not *{suffix}'] += 1
    return reasons


def _images(folder: str) -> Iterator[str]:
    for here, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith('.'):
                yield os.path.join(here, name)

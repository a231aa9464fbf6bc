"""One line about a data set: folder, images, labels, and files that are left out, with the reason."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset, ConcatDataset

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm', '.pbm', '.pnm', '.jp2')
"""Ends of names of images, in any case."""


def describe(dataset: Any) -> str:
    """Return the line about a data set, such as ``GTA5Dataset, 7 images with labels, /data/gta5``.

    Args:
        dataset: Any data set. Of one that is not mmengine's only the length is known.
    """
    name = type(dataset).__name__
    if not isinstance(dataset, BaseDataset):
        return f'{name}, {_count(len(dataset), "item")}'
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    labelled = sum(info.get('seg_map_path') is not None for info in infos)
    labels = (
        ' with labels' if labelled == len(infos) else f', {labelled:,} with labels' if labelled else ' without labels'
    )
    where = dataset.data_root or dict(dataset.data_prefix).get('img_path', '')
    line = f'{name}, {_count(len(infos), "image")}{labels}, {where}'
    left = left_out(dataset, {str(info.get('img_path')) for info in infos})
    told = ', '.join(f'{count:,} {reason}' for reason, count in left.items())
    return f'{line}; left out: {told}' if told else line


def left_out(dataset: BaseDataset, images: set[str]) -> dict[str, int]:
    """Return how many files a data set leaves out, by reason.

    These are pairs that its check refused, and images in its folder whose names do not end as ``img_suffix`` says.

    Args:
        dataset: The data set.
        images: Names of its images.
    """
    reasons = {f'pairs ({kind})': count for kind, count in Counter(getattr(dataset, 'left_out', {})).items()}
    suffix, folder = getattr(dataset, 'img_suffix', None), dict(dataset.data_prefix).get('img_path')
    if not suffix or dataset.ann_file or not folder or not os.path.isdir(folder):
        return reasons
    ends = (suffix,) if isinstance(suffix, str) else tuple(suffix)
    others = [path for path in _images(folder) if not path.endswith(ends) and path not in images]
    if others:
        found = Counter(Path(path).suffix for path in others)
        kinds = ', '.join(f'{end} {count:,}' for end, count in found.most_common())
        reasons[f'images with other names than *{" or *".join(ends)} ({kinds})'] = len(others)
    return reasons


def parts(dataset: Any, name: str = 'data') -> Iterator[tuple[str, Any]]:
    """Yield the data sets that one is made of, with names such as ``source``; itself if it holds images.

    Args:
        dataset: A pair, a concatenation, or any other.
        name: Its name.
    """
    if isinstance(dataset, ConcatDataset):
        for number, part in enumerate(dataset.datasets):
            yield from parts(part, f'{name} {number}')
    elif callable(sides := getattr(dataset, 'sides', None)):
        for side, part in sides().items():
            yield from parts(part, side)
    else:
        yield name, dataset


def _images(folder: str) -> Iterator[str]:
    for here, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith('.'):
                yield os.path.join(here, name)


def _count(number: int, unit: str) -> str:
    return f'{number:,} {unit}{"" if number == 1 else "s"}'

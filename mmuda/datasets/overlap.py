"""Images that two data sets have in common."""

import os
from typing import Any

from mmengine.dataset import ConcatDataset


def image_files(dataset: Any) -> list[str]:
    """Return the paths of the images of a data set, as written in its samples.

    Args:
        dataset: An mmengine ``BaseDataset``, or a ``ConcatDataset`` of them. Other data sets give an empty list.
    """
    if isinstance(dataset, ConcatDataset):
        return [path for part in dataset.datasets for path in image_files(part)]
    if not hasattr(dataset, 'get_data_info'):
        return []
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return [info['img_path'] for info in infos if info.get('img_path')]


def common_images(first: Any, second: Any) -> list[str]:
    """Return the paths of the images in ``first`` that are also in ``second``, in the order of ``first``.

    Symbolic links are resolved, so a link and its file count as the same image.
    """
    known = {os.path.realpath(path) for path in image_files(second)}
    return [path for path in image_files(first) if os.path.realpath(path) in known]

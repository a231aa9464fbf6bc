"""Images that two data sets have in common."""

import os
from typing import Any

from mmengine.dataset import ConcatDataset


def image_files(dataset: Any) -> list[str]:
    """Return the paths of the images of a data set, as they are named; data sets without files have none.

    Args:
        dataset: An mmengine ``BaseDataset``, or a ``ConcatDataset`` of them.
    """
    if isinstance(dataset, ConcatDataset):
        return [path for part in dataset.datasets for path in image_files(part)]
    if not hasattr(dataset, 'get_data_info'):
        return []
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return [info['img_path'] for info in infos if info.get('img_path')]


def common_images(first: Any, second: Any) -> list[str]:
    """Return the images of one data set that another has, too, in the order of the first.

    Files are compared, not their names: links lead to the same file.
    """
    known = {os.path.realpath(path) for path in image_files(second)}
    return [path for path in image_files(first) if os.path.realpath(path) in known]

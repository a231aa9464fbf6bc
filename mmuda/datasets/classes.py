"""Class lists: the 19 Cityscapes classes, and subsets of them that other data sets use."""

from collections.abc import Sequence

import numpy as np
from mmseg.datasets import CityscapesDataset

from mmuda.constants import IGNORE_INDEX

__all__ = ['CITYSCAPES_CLASSES', 'CITYSCAPES_PALETTE', 'CROSSCITY13', 'SYNTHIA13', 'SYNTHIA16', 'train_ids_among']

CITYSCAPES_CLASSES: tuple[str, ...] = tuple(CityscapesDataset.METAINFO['classes'])
"""The 19 classes of Cityscapes. The index of a class is its train id."""

CITYSCAPES_PALETTE: list[list[int]] = [list(colour) for colour in CityscapesDataset.METAINFO['palette']]
"""RGB colour of each class."""


def without(classes: tuple[str, ...], *dropped: str) -> tuple[str, ...]:
    """Return the classes in their order, without some of them.

    Args:
        classes: Class names.
        *dropped: Names of the classes to leave out.

    Raises:
        ValueError: If a dropped name is not one of the classes.
    """
    unknown = [name for name in dropped if name not in classes]
    if unknown:
        raise ValueError(f'cannot drop {unknown}: the classes are {list(classes)}')
    return tuple(name for name in classes if name not in dropped)


SYNTHIA16: tuple[str, ...] = without(CITYSCAPES_CLASSES, 'terrain', 'truck', 'train')
"""The classes that SYNTHIA papers train with."""

SYNTHIA13: tuple[str, ...] = without(SYNTHIA16, 'wall', 'fence', 'pole')
"""The classes over which SYNTHIA papers take mIoU*."""

CROSSCITY13: tuple[str, ...] = SYNTHIA13
"""The classes that are annotated in the Cross-City cities: the same thirteen."""


def train_ids_among(classes: Sequence[str], whole: Sequence[str] = CITYSCAPES_CLASSES) -> np.ndarray:
    """Return the look-up table from the train ids of a class subset to those of the full list.

    With it, a label map of SYNTHIA's 16 classes gets the colours of Cityscapes' 19:
    ``cv2.LUT(label, train_ids_among(SYNTHIA16))``.

    Args:
        classes: The class subset.
        whole: The full class list.

    Returns:
        (256,) uint8: for each train id of the subset the train id in the full list, 255 for all other ids.

    Raises:
        ValueError: If a class of the subset is not in the full list.
    """
    unknown = [name for name in classes if name not in whole]
    if unknown:
        raise ValueError(f'{unknown} are not among the classes {list(whole)}')
    ids = np.full(256, IGNORE_INDEX, np.uint8)
    ids[: len(classes)] = [list(whole).index(name) for name in classes]
    return ids

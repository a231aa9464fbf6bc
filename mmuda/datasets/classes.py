"""Class lists of the data sets, all of them parts of the 19 Cityscapes classes."""

from collections.abc import Sequence

import numpy as np
from mmseg.datasets import CityscapesDataset

from mmuda.constants import IGNORE_INDEX

__all__ = ['CITYSCAPES_CLASSES', 'CITYSCAPES_PALETTE', 'CROSSCITY13', 'SYNTHIA13', 'SYNTHIA16', 'train_ids_among']

CITYSCAPES_CLASSES: tuple[str, ...] = tuple(CityscapesDataset.METAINFO['classes'])
"""The 19 classes; a class's place is its train id."""

CITYSCAPES_PALETTE: list[list[int]] = [list(colour) for colour in CityscapesDataset.METAINFO['palette']]
"""RGB colour of each class."""


def without(classes: tuple[str, ...], *dropped: str) -> tuple[str, ...]:
    """The classes in their order, less some of them.

    Args:
        classes: Class names.
        *dropped: Names to leave out.

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
"""The classes behind the mIoU* of SYNTHIA papers."""

CROSSCITY13: tuple[str, ...] = SYNTHIA13
"""The classes that are annotated in the Cross-City cities: the same thirteen."""


def train_ids_among(classes: Sequence[str], whole: Sequence[str] = CITYSCAPES_CLASSES) -> np.ndarray:
    """Train ids of some classes as those of all of them, so that maps of 16 classes, say, get the colours of 19.

    Args:
        classes: The classes that the ids count.
        whole: Classes to count instead, which contain them.

    Returns:
        (256,) uint8: the new id by the old one, 255 for all that are no class; ``cv2.LUT(ids, train_ids_among(...))``.

    Raises:
        ValueError: If one of the classes is not among the whole.
    """
    unknown = [name for name in classes if name not in whole]
    if unknown:
        raise ValueError(f'{unknown} are not among the classes {list(whole)}')
    ids = np.full(256, IGNORE_INDEX, np.uint8)
    ids[: len(classes)] = [list(whole).index(name) for name in classes]
    return ids

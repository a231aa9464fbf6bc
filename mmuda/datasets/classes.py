"""Class lists of the data sets, all of them parts of the 19 Cityscapes classes."""
from typing import List, Tuple

from mmseg.datasets import CityscapesDataset

__all__ = ['CITYSCAPES_CLASSES', 'CITYSCAPES_PALETTE', 'CROSSCITY13', 'SYNTHIA13', 'SYNTHIA16']

CITYSCAPES_CLASSES: Tuple[str, ...] = tuple(CityscapesDataset.METAINFO['classes'])
"""The 19 classes; a class's place is its train id."""

CITYSCAPES_PALETTE: List[List[int]] = [
    list(colour) for colour in CityscapesDataset.METAINFO['palette']
]
"""RGB colour of each class."""


def without(classes: Tuple[str, ...], *dropped: str) -> Tuple[str, ...]:
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


SYNTHIA16: Tuple[str, ...] = without(CITYSCAPES_CLASSES, 'terrain', 'truck', 'train')
"""The classes that SYNTHIA papers train with."""

SYNTHIA13: Tuple[str, ...] = without(SYNTHIA16, 'wall', 'fence', 'pole')
"""The classes behind the mIoU* of SYNTHIA papers."""

CROSSCITY13: Tuple[str, ...] = SYNTHIA13
"""The classes that are annotated in the Cross-City cities: the same thirteen."""

"""Class lists of the papers."""

import pytest
from mmseg.datasets import CityscapesDataset

from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, CROSSCITY13, SYNTHIA13, SYNTHIA16, without


def test_classes():
    assert CITYSCAPES_CLASSES == tuple(CityscapesDataset.METAINFO['classes'])
    assert CITYSCAPES_PALETTE == CityscapesDataset.METAINFO['palette']
    assert [CITYSCAPES_CLASSES.index(name) for name in CROSSCITY13] == [0, 1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18]
    assert [n for n, name in enumerate(SYNTHIA16) if name not in SYNTHIA13] == [3, 4, 5]
    with pytest.raises(ValueError, match='trian'):
        without(CITYSCAPES_CLASSES, 'trian')

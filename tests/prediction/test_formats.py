"""Label formats of test servers."""

import numpy as np
import pytest
from mmseg.datasets import LoveDADataset

from mmuda.datasets.classes import CITYSCAPES_CLASSES, SYNTHIA16
from mmuda.prediction.formats import FORMATS, get_format


def test_cityscapes_takes_label_ids():
    found = get_format('cityscapes')
    table = found.table(CITYSCAPES_CLASSES)
    assert table[:19].tolist() == [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert found.file_name('berlin_000000_000019_leftImg8bit') == 'berlin_000000_000019_labelIds'


def test_some_of_the_classes_keep_their_ids():
    table = get_format('cityscapes').table(SYNTHIA16)
    assert table[SYNTHIA16.index('bicycle')] == 33 and table[SYNTHIA16.index('bus')] == 28


@pytest.mark.parametrize('name', ['acdc', 'dark_zurich'])
def test_adverse_conditions_take_train_ids(name):
    found = get_format(name)
    assert found.table(CITYSCAPES_CLASSES)[:19].tolist() == list(range(19)) and found.folder == 'labelTrainIds'
    assert found.file_name('GOPR0475_frame_000321_rgb_anon') == 'GOPR0475_frame_000321_rgb_anon'


def test_loveda_takes_ids_from_zero():
    found = get_format('loveda')
    assert found.table(LoveDADataset.METAINFO['classes'])[:7].tolist() == list(range(7))
    assert found.table(['Agriculture', 'Road'])[:2].tolist() == [6, 2] and found.file_name('4191') == '4191'


def test_other_classes_are_an_error():
    with pytest.raises(ValueError, match='the network predicts barren, water, but the ACDC benchmark'):
        get_format('acdc').table(['road', 'barren', 'water'])
    with pytest.raises(KeyError, match="no format 'kitti'.* choose one of cityscapes"):
        get_format('kitti')


def test_no_class_is_ignored():
    assert all(np.array(list(found.ids.values())).max() < 255 for found in FORMATS.values())

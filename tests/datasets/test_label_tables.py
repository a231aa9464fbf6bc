"""Label tables compared to the lists in the code of the papers."""

import pickle

import numpy as np
import pytest
from mmengine.config import Config

from mmuda.datasets.classes import SYNTHIA16
from mmuda.datasets.label_tables import (
    UNKNOWN,
    get_label_table,
    label_table_names,
    lookup_array,
    make_label_table,
    ranges,
    register_label_table,
)
from mmuda.datasets.readers.raw_dataset import RawSegDataset

# The lists of AdaptSegNet and ADVENT for Cityscapes and GTA5.
CITYSCAPES = {
    7: 0,
    8: 1,
    11: 2,
    12: 3,
    13: 4,
    17: 5,
    19: 6,
    20: 7,
    21: 8,
    22: 9,
    23: 10,
    24: 11,
    25: 12,
    26: 13,
    27: 14,
    28: 15,
    31: 16,
    32: 17,
    33: 18,
}


# The lists of DADA and BDL for 19 and for 16 classes.
SYNTHIA_19 = {
    3: 0,
    4: 1,
    2: 2,
    21: 3,
    5: 4,
    7: 5,
    15: 6,
    9: 7,
    6: 8,
    16: 9,
    1: 10,
    10: 11,
    17: 12,
    8: 13,
    18: 14,
    19: 15,
    20: 16,
    12: 17,
    11: 18,
}


SYNTHIA_16 = {
    3: 0,
    4: 1,
    2: 2,
    21: 3,
    5: 4,
    7: 5,
    15: 6,
    9: 7,
    6: 8,
    1: 9,
    10: 10,
    17: 11,
    8: 12,
    19: 13,
    12: 14,
    11: 15,
}


# The list of SDCA for Cityscapes as the target of SYNTHIA.
CITYSCAPES_16 = {raw: n for n, raw in enumerate((7, 8, 11, 12, 13, 17, 19, 20, 21, 23, 24, 25, 26, 28, 32, 33))}


def expected(mapping, known):
    array = np.full(1 << 16, UNKNOWN, np.uint8)
    array[list(known)] = 255
    array[list(mapping)] = list(mapping.values())
    return array


@pytest.mark.parametrize('name', ['cityscapes', 'gta5', 'synscapes', 'crosscity'])
def test_cityscapes_ids(name):
    array = lookup_array(get_label_table(name))
    np.testing.assert_array_equal(array, expected(CITYSCAPES, [*range(35), 255]))


def test_synthia_19():
    np.testing.assert_array_equal(lookup_array(get_label_table('synthia')), expected(SYNTHIA_19, range(23)))


def test_train_ids():
    same = {n: n for n in range(19)}
    np.testing.assert_array_equal(lookup_array(get_label_table('train_ids')), expected(same, [255]))


@pytest.mark.parametrize(
    'name, mapping, known', [('synthia', SYNTHIA_16, range(23)), ('cityscapes', CITYSCAPES_16, [*range(35), 255])]
)
def test_sixteen_classes_follow_from_mmsegs_label_map(name, mapping, known):
    label_map = tuple(sorted(RawSegDataset.get_label_map(SYNTHIA16).items()))
    array = lookup_array(get_label_table(name), label_map=label_map)
    np.testing.assert_array_equal(array, expected(mapping, known))


def test_unknown_ids_may_become_ignored():
    table = make_label_table('mine', {1: 0})
    assert (lookup_array(table, unknown=255)[[0, 1, 2, 65535]] == [255, 0, 255, 255]).all()
    assert (lookup_array(table)[[0, 1, 2, 65535]] == [UNKNOWN, 0, UNKNOWN, UNKNOWN]).all()


def test_lookup_is_made_once_and_cannot_be_changed():
    array = lookup_array(get_label_table('gta5'), 255, ((0, 0),) + tuple((n, 255) for n in range(1, 19)))
    assert array is lookup_array(get_label_table('gta5'), 255, ((0, 0),) + tuple((n, 255) for n in range(1, 19)))
    with pytest.raises(ValueError):
        array[0] = 1


def test_register_and_get():
    table = register_label_table('test_register_and_get', {4: 1, -1: 255})
    assert get_label_table('test_register_and_get') == table
    assert 'test_register_and_get' in label_table_names()
    assert table.pairs == ((4, 1), (255, 255)) and table.num_classes == 2
    assert register_label_table('test_register_and_get', {4: 1, 255: 255}) == table
    with pytest.raises(ValueError, match='test_register_and_get'):
        register_label_table('test_register_and_get', {4: 2})
    with pytest.raises(ValueError, match='gta5'):
        register_label_table('gta5', {4: 2})
    assert pickle.loads(pickle.dumps(table)) == table


def test_table_in_a_config_file(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('table = {7: 0, 8: 1, 0: 255}')
    assert get_label_table(Config.fromfile(path).table).pairs == ((0, 255), (7, 0), (8, 1))
    path = tmp_path / 'config.json'
    path.write_text('{"table": {"7": 0, "8": 1, "0": 255}}')
    assert get_label_table(Config.fromfile(path).table).pairs == ((0, 255), (7, 0), (8, 1))


@pytest.mark.parametrize(
    'mapping, message',
    [
        ({}, 'empty'),
        ({-2: 0}, 'raw id -2'),
        ({65536: 0}, '65536'),
        ({0: 254}, 'train id 254'),
        ({0: -1}, 'train id -1'),
        ({'road': 0}, 'road'),
        ({-1: 0, 255: 1}, 'twice'),
    ],
)
def test_wrong_mappings(mapping, message):
    with pytest.raises(ValueError, match=message):
        make_label_table('mine', mapping)


def test_wrong_names_and_types():
    with pytest.raises(KeyError, match='gta6.*cityscapes.*gta5'):
        get_label_table('gta6')
    with pytest.raises(TypeError, match='list'):
        get_label_table([1, 2])


def test_table_beyond_the_classes():
    with pytest.raises(ValueError, match='19-20'):
        lookup_array(make_label_table('mine', {0: 18, 1: 19, 2: 20}), label_map=tuple((n, n) for n in range(19)))


def test_ranges():
    assert ranges([255, 3, 1, 2, 7]) == '1-3, 7, 255'
    assert ranges([]) == ''

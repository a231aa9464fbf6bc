"""Cross-City, read from a small copy of its layout (see layouts.py)."""

import layouts
import numpy as np
import pytest

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.classes import CROSSCITY13
from mmuda.datasets.label_tables import get_label_table, lookup_array
from mmuda.datasets.readers.crosscity import CrossCityDataset
from mmuda.datasets.readers.raw_dataset import RawSegDataset

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]


def trains(raw, table, classes=None):
    label_map = classes and tuple(sorted(RawSegDataset.get_label_map(classes).items()))
    return lookup_array(get_label_table(table), label_map=label_map)[raw]


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_cross_city(tmp_path, suffix):
    root = str(layouts.crosscity(tmp_path, suffix=suffix))
    train = CrossCityDataset(city='Rome', data_root=root, pipeline=LOAD[:1])
    assert [train.get_data_info(n)['img_path'][-14:] for n in range(2)] == [
        f'pano_00000{suffix}',
        f'pano_00001{suffix}',
    ]
    assert 'seg_map_path' not in train[0]
    test = CrossCityDataset(
        city='Rome', split='test', data_root=root, pipeline=LOAD, metainfo=dict(classes=CROSSCITY13)
    )
    raw = layouts.ids(range(34), 1)
    np.testing.assert_array_equal(test[1]['gt_seg_map'], trains(raw, 'crosscity', CROSSCITY13))
    assert set(np.unique(test[1]['gt_seg_map'])) == {*range(13), 255}


def test_cross_city_errors(tmp_path):
    with pytest.raises(ValueError, match="'Paris'.*Rio, Rome, Taipei, Tokyo"):
        CrossCityDataset(city='Paris')
    with pytest.raises(ValueError, match="'val'"):
        CrossCityDataset(city='Rome', split='val')
    layouts.crosscity(tmp_path)
    layouts.write(tmp_path / 'Rome' / 'Images' / 'Train' / 'other.jpg', layouts.image())
    with pytest.raises(ValueError, match=r'Images/Train holds \.jpg and \.png.*img_suffix'):
        CrossCityDataset(city='Rome', data_root=str(tmp_path))
    assert len(CrossCityDataset(city='Rome', data_root=str(tmp_path), img_suffix='.jpg')) == 1

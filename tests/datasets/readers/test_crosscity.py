"""The Cross-City reader, on a small copy of the layout (see layouts.py)."""

import layouts
import numpy as np
import pytest
from layouts import train_ids

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.classes import CROSSCITY13, SYNTHIA16
from mmuda.datasets.readers.crosscity import CrossCityDataset

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]


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
    np.testing.assert_array_equal(test[1]['gt_seg_map'], train_ids(raw, 'crosscity', CROSSCITY13))
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


@pytest.mark.parametrize('classes', [None, SYNTHIA16], ids=['19', '16'])
def test_read_as_published(tmp_path, classes):
    layouts.crosscity(tmp_path)
    dataset = dict(type='CrossCityDataset', data_root=str(tmp_path), city='Rome', split='test')
    files = 'Rome/Images/Test/pano_00051.png', 'Rome/Labels/Test/pano_00051_eval.png'
    layouts.check_reading(dataset, tmp_path, *files, layouts.ids(range(34), 1), 'crosscity', classes)


@pytest.mark.parametrize('folder', ['Rome', 'Roma'])
@pytest.mark.parametrize('city', ['Rome', 'Roma'])
def test_rome_is_called_roma_in_files(tmp_path, city, folder):
    layouts.crosscity(tmp_path, folder)
    dataset = CrossCityDataset(city=city, split='test', data_root=str(tmp_path), pipeline=LOAD)
    assert dataset.city == 'Rome' and f'/{folder}/Images/Test/' in dataset[0]['img_path']

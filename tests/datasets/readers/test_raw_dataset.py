"""Data sets of raw downloads: lists, folders, labels, arguments."""

import pickle

import layouts
import pytest

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.readers.crosscity import CrossCityDataset
from mmuda.datasets.readers.gta5 import GTA5Dataset
from mmuda.datasets.readers.synscapes import SynscapesDataset
from mmuda.datasets.readers.synthia import SYNTHIADataset

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]


def test_samples_stay_small_and_survive_pickling(tmp_path):
    """As for workers that are spawned, which know nothing of tables that were registered
    meanwhile."""
    table = {raw: 0 for raw in range(35)}
    dataset = GTA5Dataset(data_root=str(layouts.gta5(tmp_path)), pipeline=LOAD, label_table=table)
    assert 'label_table' not in pickle.loads(memoryview(dataset.data_bytes[: dataset.data_address[0].item()]))
    assert 'label_table' in dataset.get_data_info(0)
    copied = pickle.loads(pickle.dumps(dataset))
    assert (copied[0]['gt_seg_map'] == 0).all()


def test_without_labels(tmp_path):
    layouts.gta5(tmp_path)
    (tmp_path / 'labels').rename(tmp_path / 'elsewhere')
    dataset = GTA5Dataset(data_root=str(tmp_path), data_prefix=dict(img_path='images'), pipeline=LOAD[:1])
    assert len(dataset) == 3 and 'seg_map_path' not in dataset[0] and 'label_table' not in dataset[0]
    dataset = GTA5Dataset(
        data_root=str(tmp_path), data_prefix=dict(img_path='images', seg_map_path=None), pipeline=LOAD[:1]
    )
    assert len(dataset) == 3 and 'seg_map_path' not in dataset[0]


@pytest.mark.parametrize('loader', ['LoadDomainImage', 'LoadImageFromFile'])
def test_a_data_set_bounds_the_pixels_of_its_images(tmp_path, loader):
    """Also those that mmcv decodes, as in test pipelines."""
    root, steps = str(layouts.gta5(tmp_path)), [dict(type=loader), LOAD[1]]
    many = layouts.H * layouts.W
    assert GTA5Dataset(data_root=root, pipeline=steps, max_pixels=many)[0]['img'].shape[:2] == (layouts.H, layouts.W)
    with pytest.raises(ValueError, match=rf'images/.*pixels, more than max_pixels={many - 1}: .*set max_pixels'):
        GTA5Dataset(data_root=root, pipeline=steps, max_pixels=many - 1)[0]


def test_list_of_names(tmp_path):
    layouts.gta5(tmp_path)
    (tmp_path / 'two.txt').write_text('00003\n00001\n')
    dataset = GTA5Dataset(data_root=str(tmp_path), ann_file='two.txt', pipeline=LOAD)
    assert [info['img_path'][-9:] for info in map(dataset.get_data_info, range(2))] == ['00003.png', '00001.png']
    with pytest.raises(FileNotFoundError, match=r'three\.txt'):
        GTA5Dataset(data_root=str(tmp_path), ann_file='three.txt')
    (tmp_path / 'wrong.txt').write_text('00003\n00007.png\n')
    with pytest.raises(ValueError, match=r'1 of 2 .*\n.*images/00007\.png\.png'):
        GTA5Dataset(data_root=str(tmp_path), ann_file='wrong.txt', data_prefix=dict(img_path='images'))


@pytest.mark.parametrize(
    'dataset, kwargs, named',
    [
        (GTA5Dataset, {}, 'images'),
        (SYNTHIADataset, {}, 'RGB'),
        (SynscapesDataset, {}, 'img/rgb'),
        (CrossCityDataset, dict(city='Tokyo'), 'Tokyo/Images/Train'),
    ],
)
def test_missing_and_empty_folders(tmp_path, dataset, kwargs, named):
    with pytest.raises(FileNotFoundError, match=rf'{dataset.__name__}.*{named}, does not exist.*data_root.*ln -s'):
        dataset(data_root=str(tmp_path), **kwargs)
    prefix = dict(img_path=named)
    (tmp_path / named).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=rf'{dataset.__name__} found no image.*{named}.*data_root'):
        dataset(data_root=str(tmp_path), data_prefix=prefix, **kwargs)


def test_missing_label_folder(tmp_path):
    layouts.write(tmp_path / 'images' / '00001.png', layouts.image())
    with pytest.raises(FileNotFoundError, match='folder of labels.*labels, does not exist.*without seg_map_path'):
        GTA5Dataset(data_root=str(tmp_path))


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="'error' or 'skip'"):
        GTA5Dataset(data_root=str(tmp_path), mismatched='ignore')
    with pytest.raises(KeyError, match='gta6'):
        GTA5Dataset(data_root=str(tmp_path), label_table='gta6')
    with pytest.raises(ValueError, match='train ids up to 19, but there are 19 classes'):
        GTA5Dataset(data_root=str(layouts.gta5(tmp_path)), label_table={0: 19})

"""Data sets of raw downloads: lists, folders, labels, arguments."""

import pickle

import layouts
import mmengine.fileio as fileio
import numpy as np
import pytest
from layouts import H, W, ids, image, write
from PIL import Image

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.readers.crosscity import CrossCityDataset
from mmuda.datasets.readers.folders import list_folder
from mmuda.datasets.readers.gta5 import GTA5Dataset
from mmuda.datasets.readers.raw_dataset import RawSegDataset
from mmuda.datasets.readers.synscapes import SynscapesDataset
from mmuda.datasets.readers.synthia import SYNTHIADataset

LOAD = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations')]


def test_samples_stay_small_and_survive_pickling(tmp_path):
    """Samples are stored without their label table, and a pickled data set keeps it for spawned workers."""
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


def test_folders_are_listed_as_mmengine_lists_them(tmp_path):
    for name in ('b/2.png', 'b/.hidden.png', '.folder/3.PNG', 'a.png', 'notes.txt', 'volume.nii.gz'):
        (tmp_path / 'real' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'real' / name).touch()
    root = tmp_path / 'real'
    (root / 'linked').symlink_to(root / 'b')
    (root / 'link.png').symlink_to(root / 'a.png')
    (root / 'broken.png').symlink_to(root / 'gone.png')
    names, others = list_folder(str(root), None)
    assert sorted([*names, 'notes.txt']) == sorted(fileio.list_dir_or_file(str(root), list_dir=False, recursive=True))
    assert len(names) == 6 and names == sorted(names) and dict(others) == {'*.txt': 1}
    assert list_folder(f'{root}/', '.png')[0] == [name for name in names if name != 'volume.nii.gz']


@pytest.mark.parametrize('loader', ['LoadDomainImage', 'LoadImageFromFile'])
def test_a_data_set_bounds_the_pixels_of_its_images(tmp_path, loader):
    """The limit of pixels also applies to images that mmcv decodes, as in test pipelines."""
    root, steps = str(layouts.gta5(tmp_path)), [dict(type=loader), LOAD[1]]
    many = layouts.H * layouts.W
    assert GTA5Dataset(data_root=root, pipeline=steps, max_pixels=many)[0]['img'].shape[:2] == (layouts.H, layouts.W)
    with pytest.raises(ValueError, match=rf'images/.*pixels, more than max_pixels={many - 1}: .*set max_pixels'):
        GTA5Dataset(data_root=root, pipeline=steps, max_pixels=many - 1)[0]


@pytest.mark.parametrize('line', ['../../outside', '/etc/passwd'])
def test_a_list_does_not_leave_the_root(tmp_path, line):
    root = layouts.gta5(tmp_path / 'root')
    write(tmp_path / 'outside.png', image())
    (root / 'list.txt').write_text(f'00001\n{line}\n')
    with pytest.raises(ValueError, match=rf"list.txt, line 2: '{line}' is outside of .*root: set outside_root=True"):
        GTA5Dataset(data_root=str(root), ann_file='list.txt')
    (root / 'list.txt').write_text('../../outside\n')
    unlabelled = dict(data_prefix=dict(img_path='images'), pipeline=LOAD[:1])
    assert len(GTA5Dataset(data_root=str(root), ann_file='list.txt', outside_root=True, **unlabelled)) == 1


def test_list_of_names(tmp_path):
    layouts.gta5(tmp_path)
    (tmp_path / 'two.txt').write_text('00003\n00001\n')
    dataset = GTA5Dataset(data_root=str(tmp_path), ann_file='two.txt', pipeline=LOAD)
    assert [info['img_path'][-9:] for info in map(dataset.get_data_info, range(2))] == ['00003.png', '00001.png']
    with pytest.raises(FileNotFoundError, match=r'three\.txt'):
        GTA5Dataset(data_root=str(tmp_path), ann_file='three.txt')
    (tmp_path / 'wrong.txt').write_text('00003\n00007.png\n')
    with pytest.raises(ValueError, match=r'1 of 2 .*\n.*images/00007\.png missing'):
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


OWN = ('background', 'crack', 'patch')


def own_folder(root, suffixes=('.png', '.JPG', '.jpeg', '.Tif')):
    for n, suffix in enumerate(suffixes):
        saved = write(root / 'images' / 'deep' / f'{n}{suffix}', image(n))
        assert saved.exists()
        write(root / 'labels' / 'deep' / f'{n}.png', ids((0, 1, 2, 255), n))
    return root


def test_own_classes_in_folders_of_any_suffix(tmp_path, caplog):
    own_folder(tmp_path)
    (tmp_path / 'images' / 'notes.txt').write_text('no image')
    dataset = RawSegDataset(data_root=str(tmp_path), label_classes=OWN, pipeline=LOAD)
    assert len(dataset) == 4 and dataset.metainfo['classes'] == OWN and len(dataset.metainfo['palette']) == 3
    for n in range(4):
        np.testing.assert_array_equal(dataset[n]['gt_seg_map'], ids((0, 1, 2, 255), n))
    assert dataset.left_out == {'*.txt': 1}
    same = RawSegDataset(data_root=str(tmp_path), metainfo=dict(classes=OWN), label_table={0: 0, 1: 1, 2: 2, 255: 255})
    assert same.metainfo['classes'] == OWN and same.label_map is None
    some = RawSegDataset(data_root=str(tmp_path), label_classes=OWN, img_suffix=('.jpg', '.png'))
    assert len(some) == 2
    assert some.left_out == {'*.jpeg': 1, '*.Tif': 1, '*.txt': 1, 'label(s) without an image': 2}
    with pytest.raises(ValueError, match=r"classes \['crack'\], which are not among .*label_classes"):
        RawSegDataset(data_root=str(tmp_path), metainfo=dict(classes=('road', 'crack')))


def test_zero_is_ignored(tmp_path):
    own_folder(tmp_path)
    dataset = RawSegDataset(data_root=str(tmp_path), label_classes=OWN[1:], reduce_zero_label=True, pipeline=LOAD)
    expected = np.array([255, 0, 1, *[255] * 253])[ids((0, 1, 2, 255), 0)]
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], expected)


def test_an_image_with_two_labels(tmp_path):
    own_folder(tmp_path)
    write(tmp_path / 'labels' / 'deep' / '1.tif', ids(range(3), 1))
    with pytest.raises(ValueError, match=r"2 labels of deep/1: .*seg_map_suffix='\.png'"):
        RawSegDataset(data_root=str(tmp_path), label_classes=OWN)
    assert len(RawSegDataset(data_root=str(tmp_path), label_classes=OWN, seg_map_suffix='.png')) == 4


def test_images_and_labels_in_one_folder(tmp_path):
    for n in range(2):
        write(tmp_path / f'{n}.jpg', image(n))
        write(tmp_path / f'{n}.png', ids(range(3), n))
    folders = dict(img_path='', seg_map_path='')
    dataset = RawSegDataset(data_root=str(tmp_path), data_prefix=folders, img_suffix='.jpg', label_classes=OWN)
    assert [dataset.get_data_info(n)['seg_map_path'][-5:] for n in range(2)] == ['0.png', '1.png']


MAP = {'flat': ['road', 'sidewalk'], 'vehicle': ['car', 'truck', 'bus'], 'sky': 'sky'}


def test_classes_are_merged_and_dropped(tmp_path):
    """Any reader can merge and drop classes."""
    dataset = GTA5Dataset(data_root=str(layouts.gta5(tmp_path)), class_map=MAP, pipeline=LOAD)
    assert dataset.metainfo['classes'] == ('flat', 'vehicle', 'sky')
    assert dataset.metainfo['palette'] == [[128, 64, 128], [0, 0, 142], [70, 130, 180]]
    raw = ids(range(35), 1)
    expected = np.select([np.isin(raw, (7, 8)), np.isin(raw, (26, 27, 28)), raw == 23], [0, 1, 2], 255)
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], expected)
    own = RawSegDataset(
        data_root=str(own_folder(tmp_path / 'own')), label_classes=OWN, class_map=dict(damage=OWN[1:]), pipeline=LOAD
    )
    raw = ids((0, 1, 2, 255), 0)
    np.testing.assert_array_equal(own[0]['gt_seg_map'], np.where(np.isin(raw, (1, 2)), 0, 255))


@pytest.mark.parametrize(
    'class_map, message',
    [
        ({}, 'class_map={}'),
        (dict(a='rode'), "'a' is made of 'rode'"),
        (dict(a='road', b=['road']), "'road' can be part of one class only, but is in 'a'"),
    ],
)
def test_wrong_class_maps(class_map, message):
    with pytest.raises(ValueError, match=message):
        GTA5Dataset(class_map=class_map)


def test_an_image_that_is_turned_needs_a_label_of_its_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / 'images').mkdir()
    Image.fromarray(image()).save(tmp_path / 'images' / 'a.png', exif=exif)
    write(tmp_path / 'labels' / 'a.png', ids(range(3)))  # the size of the image without its rotation
    options = dict(data_root=str(tmp_path), label_classes=OWN)
    with pytest.raises(ValueError, match='EXIF orientation.*color_ignore_orientation'):
        RawSegDataset(**options, pipeline=LOAD)
    kept = [dict(type='LoadDomainImage', color_type='color_ignore_orientation'), LOAD[1]]
    assert RawSegDataset(**options, pipeline=kept)[0]['img'].shape[:2] == (H, W)
    write(tmp_path / 'labels' / 'a.png', ids(range(3), 0, W, H))
    assert RawSegDataset(**options, pipeline=LOAD)[0]['gt_seg_map'].shape == (W, H)

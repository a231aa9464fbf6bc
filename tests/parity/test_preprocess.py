"""From files on disk to the input of the network: the values of the original code, by our readers and Pillow."""

import functools
from pathlib import Path

import numpy as np
import pytest
from golden import SHIPPED_DIR, golden_files, load
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmseg.datasets import CityscapesDataset
from mmseg.models import SegDataPreProcessor
from PIL import Image

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.readers.gta5 import GTA5Dataset

FILES = [*golden_files('adaptsegnet', 'preprocess'), *golden_files('advent', 'preprocess')]
"""Golden files of two families, which use different names. Both readers must reproduce all of them."""

shipped = functools.partial(golden_files, folder=SHIPPED_DIR)

LOAD_IMAGE = dict(type='LoadDomainImage')
LOAD_LABEL = dict(type='LoadDomainAnnotations', table='cityscapes')


def resize(size_wh) -> dict:
    return dict(
        type='Resize', scale=tuple(int(n) for n in size_wh), keep_ratio=False, backend='pillow', interpolation='bicubic'
    )


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(tmp_path / 'cache'))
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def gta5(root: Path, image: np.ndarray, ids: np.ndarray, pipeline: list) -> GTA5Dataset:
    """Return a data set with one pair in the layout and encoding of GTA5."""
    (root / 'images').mkdir(parents=True)
    (root / 'labels').mkdir()
    Image.fromarray(image).save(root / 'images' / '00001.png')
    label = Image.frombytes('P', ids.shape[::-1], ids.astype(np.uint8).tobytes())
    label.putpalette([(5 * i) % 256 for i in range(768)])
    label.save(root / 'labels' / '00001.png')
    return GTA5Dataset(data_root=str(root), pipeline=pipeline)


def cityscapes(root: Path, image: np.ndarray, ids: np.ndarray, pipeline: list) -> CityscapesDataset:
    """Return a data set with one pair in the layout of Cityscapes."""
    for folder, name, pixels in (
        ('leftImg8bit', 'a_000000_000000_leftImg8bit.png', image),
        ('gtFine', 'a_000000_000000_gtFine_labelIds.png', ids),
    ):
        (root / folder).mkdir(parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(root / folder / name)
    return CityscapesDataset(
        data_root=str(root),
        data_prefix=dict(img_path='leftImg8bit', seg_map_path='gtFine'),
        seg_map_suffix='_gtFine_labelIds.png',
        pipeline=pipeline,
    )


DATASETS = {'gta5': gta5, 'cityscapes': cityscapes}


def network_input(data: dict, packed: dict) -> np.ndarray:
    """Return the input of the papers' networks: BGR, minus the mean, not scaled."""
    preprocessor = SegDataPreProcessor(mean=data['mean_bgr'].tolist(), std=(1, 1, 1), bgr_to_rgb=False)
    batch = preprocessor(dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]))
    return batch['inputs'][0].numpy()


def label_of(packed: dict) -> np.ndarray:
    return packed['data_samples'].gt_sem_seg.data[0].numpy()


@pytest.mark.parametrize('layout', DATASETS)
@pytest.mark.parametrize('path', FILES)
def test_preprocess(path, layout, tmp_path):
    data = load(path)
    size = data['crop_size_wh'] if 'crop_size_wh' in data else data['image_size_wh']
    load_label = dict(LOAD_LABEL, table=None) if layout == 'gta5' else LOAD_LABEL
    pipeline = [LOAD_IMAGE, load_label, resize(size), dict(type='PackSegInputs')]
    packed = DATASETS[layout](tmp_path / layout, data['raw_image_rgb'], data['raw_label_ids'], pipeline)[0]
    images = [data[key] for key in ('image_out', f'{layout}_image') if key in data]
    labels = [data[key] for key in ('label_out', 'gta5_label') if key in data]
    assert len(images) == len(labels) == 1
    np.testing.assert_array_equal(network_input(data, packed), images[0])
    np.testing.assert_array_equal(label_of(packed), labels[0])


@pytest.mark.parametrize('path', golden_files('advent', 'preprocess'))
def test_target_label_at_its_own_size(path, tmp_path):
    """Target labels can be resized to another size than the image, as in ADVENT."""
    data = load(path)
    dataset = cityscapes(tmp_path, data['raw_image_rgb'], data['raw_label_ids'], [])
    info = dataset.get_data_info(0)
    label = Compose([LOAD_LABEL, resize(data['labels_size_wh'])])(info)['gt_seg_map']
    np.testing.assert_array_equal(label, data['cityscapes_label'])


def map_grid(ids: np.ndarray, layout: str, root: Path) -> np.ndarray:
    ids = np.atleast_2d(ids)
    image = np.zeros((*ids.shape, 3), np.uint8)
    pipeline = [dict(LOAD_LABEL, table=None) if layout == 'gta5' else LOAD_LABEL]
    return DATASETS[layout](root / layout, image, ids, pipeline)[0]['gt_seg_map']


@pytest.mark.parametrize('path', golden_files('adaptsegnet', 'preprocess'))
def test_ids_of_adaptsegnet(path, tmp_path):
    data = load(path)
    np.testing.assert_array_equal(map_grid(data['id_grid'], 'gta5', tmp_path), data['gta5_train_ids'])
    # The original's evaluation keeps ids that are not in its table, and then skips all from 19 on.
    evaluated = data['cityscapes_eval_train_ids']
    evaluated = np.where((evaluated >= 0) & (evaluated < 19), evaluated, 255)
    np.testing.assert_array_equal(map_grid(data['id_grid'], 'cityscapes', tmp_path), evaluated)
    raw, train = data['label2train'].T
    np.testing.assert_array_equal(map_grid(raw % 256, 'cityscapes', tmp_path / 'table')[0], train % 256)


@pytest.mark.parametrize('path', golden_files('advent', 'preprocess'))
def test_ids_of_advent(path, tmp_path):
    data = load(path)
    np.testing.assert_array_equal(map_grid(data['ids'], 'cityscapes', tmp_path)[0], data['ids_mapped'])
    np.testing.assert_array_equal(map_grid(data['ids'], 'gta5', tmp_path)[0], data['ids_mapped'])
    # The last entry of the vector is that of id -1, which files store as 255.
    slots = np.r_[np.arange(len(data['cityscapes_map_vector']) - 1), 255]
    np.testing.assert_array_equal(map_grid(slots, 'cityscapes', tmp_path / 'vector')[0], data['cityscapes_map_vector'])


@pytest.mark.parametrize('path', [*shipped('adaptsegnet', 'preprocess'), *shipped('advent', 'preprocess')])
def test_the_default_backend_would_differ(path, tmp_path):
    """The comparison above detects another backend than pillow with bicubic, which the configs set."""
    data = load(path)
    size = data['crop_size_wh'] if 'crop_size_wh' in data else data['image_size_wh']
    pipeline = [LOAD_IMAGE, dict(type='Resize', scale=tuple(size.tolist())), dict(type='PackSegInputs')]
    packed = gta5(tmp_path / 'gta5', data['raw_image_rgb'], data['raw_label_ids'], pipeline)[0]
    image = data['image_out'] if 'image_out' in data else data['gta5_image']
    assert np.abs(network_input(data, packed) - image).max() > 1

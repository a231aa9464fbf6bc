"""The mapping of label ids in FADA's data sets, compared with our readers."""

import cv2
import numpy as np
import pytest
from golden import SHIPPED_DIR, golden_files, load
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmseg.datasets import CityscapesDataset
from mmseg.registry import TRANSFORMS
from PIL import Image

import mmuda.datasets.transforms  # noqa: F401
from mmuda.datasets.classes import CITYSCAPES_CLASSES, SYNTHIA16, train_ids_among
from mmuda.datasets.readers.gta5 import GTA5Dataset
from mmuda.datasets.readers.synthia import SYNTHIADataset
from mmuda.datasets.transforms import LoadPseudoLabel

FILES = golden_files('fada', 'labels')
CLASSES = {19: CITYSCAPES_CLASSES, 16: SYNTHIA16}


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(tmp_path / 'cache'))
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def label_of(dataset) -> np.ndarray:
    label = dataset[0]['gt_seg_map']
    assert len(dataset) == 1 and label.dtype == np.uint8
    return label


def pipeline(**kwargs) -> list:
    # The stored images also contain ids that no data set has.
    return [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations', unknown=255, **kwargs)]


def write_image(path, size) -> None:
    path.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path)


@pytest.mark.parametrize('number', CLASSES)
@pytest.mark.parametrize('path', FILES)
def test_cityscapes(path, number, tmp_path):
    data = load(path)
    write_image(tmp_path / 'leftImg8bit' / 'a_leftImg8bit.png', data['ids'].shape)
    (tmp_path / 'gtFine').mkdir()
    Image.fromarray(data['ids']).save(tmp_path / 'gtFine' / 'a_gtFine_labelIds.png')
    dataset = CityscapesDataset(
        data_root=str(tmp_path),
        data_prefix=dict(img_path='leftImg8bit', seg_map_path='gtFine'),
        seg_map_suffix='_gtFine_labelIds.png',
        metainfo=dict(classes=CLASSES[number]),
        pipeline=pipeline(table='cityscapes'),
    )
    np.testing.assert_array_equal(label_of(dataset), data[f'cityscapes{number}'])


@pytest.mark.parametrize('path', FILES)
def test_gta5(path, tmp_path):
    data = load(path)
    write_image(tmp_path / 'images' / '00001.png', data['ids'].shape)
    (tmp_path / 'labels').mkdir()
    label = Image.frombytes('P', data['ids'].shape[::-1], data['ids'].tobytes())
    label.putpalette([(7 * i) % 256 for i in range(768)])
    label.save(tmp_path / 'labels' / '00001.png')
    np.testing.assert_array_equal(label_of(GTA5Dataset(data_root=str(tmp_path), pipeline=pipeline())), data['gta5_19'])


@pytest.mark.parametrize('path', FILES)
def test_synthia(path, tmp_path):
    data = load(path)
    rgb = data['synthia_label_image_rgb16']
    assert rgb.dtype == np.uint16
    write_image(tmp_path / 'RGB' / '0000000.png', rgb.shape[:2])
    file = tmp_path / 'GT' / 'LABELS' / '0000000.png'
    file.parent.mkdir(parents=True)
    assert cv2.imwrite(str(file), np.ascontiguousarray(rgb[..., ::-1]))
    dataset = SYNTHIADataset(data_root=str(tmp_path), metainfo=dict(classes=SYNTHIA16), pipeline=pipeline())
    np.testing.assert_array_equal(label_of(dataset), data['synthia16'])


@pytest.mark.parametrize('number', CLASSES)
@pytest.mark.parametrize('path', FILES)
def test_self_distillation(path, number, tmp_path):
    """Ids of no class are ignored, as in the original. A file with such ids, which ours never have, is refused."""
    data = load(path)
    ids, file = data['ids'], tmp_path / 'a.png'
    read = Compose([TRANSFORMS.build(dict(type='LoadPseudoLabel', num_classes=number))])
    Image.fromarray(np.where(ids < number, ids, 255).astype(np.uint8)).save(file)
    np.testing.assert_array_equal(
        read(dict(seg_map_path=str(file), ori_shape=ids.shape))['gt_seg_map'], data[f'self_distill{number}']
    )
    if ((ids >= number) & (ids != 255)).any():
        Image.fromarray(ids).save(file)
        with pytest.raises(
            ValueError, match=f'holds the ids .*, but a pseudo label holds train ids 0-{number - 1} and 255'
        ):
            LoadPseudoLabel(num_classes=number)(dict(seg_map_path=str(file)))


@pytest.mark.parametrize('path', golden_files('fada', 'labels', SHIPPED_DIR))
def test_the_ids_can_tell(path):
    """The stored ids include instances of SYNTHIA beyond one byte, and ids that a pseudo label must not have."""
    data = load(path)
    assert (data['synthia_label_image_rgb16'] > 255).any()
    assert all(((data['ids'] >= number) & (data['ids'] != 255)).any() for number in CLASSES)


@pytest.mark.parametrize('path', FILES)
def test_sixteen_classes_among_nineteen(path):
    wanted = load(path)['train16_to_city19']
    np.testing.assert_array_equal(train_ids_among(SYNTHIA16)[: len(wanted)], wanted)

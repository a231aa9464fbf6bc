"""Data of SDCA, which is that of FADA: the source list, transforms and ids of the original code."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from golden import SHIPPED_DIR, golden_files, load, scalar, section
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmseg.datasets import CityscapesDataset
from PIL import Image

from mmuda.datasets import (
    CITYSCAPES_CLASSES,
    SYNTHIA16,
    GTA5Dataset,
    SYNTHIADataset,
    class_balanced_sequence,
    train_ids_among,
)
from mmuda.datasets.pairs.class_balanced import SUB_EPOCH
from mmuda.datasets.transforms import LoadPseudoLabel, plan_scale, plan_window
from mmuda.datasets.transforms.photometric import gaussian_blur, grayscale
from mmuda.datasets.transforms.scale_crop import cut_window
from mmuda.models import DomainPairPreprocessor

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
CAFFE = dict(mean=[103.939, 116.779, 123.68], std=[1.0, 1.0, 1.0])


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(tmp_path / 'cache'))
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


class Fixed:
    """A source of draws with given results."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def integer(self, low: int, high: int) -> int:
        number = self.numbers.pop(0)
        assert low <= number < high, 'the number must be in the range of the draw'
        return int(number)

    def fraction(self, high: float) -> float:
        return float(self.numbers.pop(0)) * high


# The source list.


@pytest.mark.parametrize('path', golden_files('sdca', 'class_sampling'))
def test_class_balanced_source_list(path):
    data = load(path)
    num_draws = (scalar(data, 'max_iters') // SUB_EPOCH + 1) * SUB_EPOCH
    names = {key.split('/')[0] for key in data if '/' in key}
    assert names
    for name in names:
        case = section(data, name)
        lists = [images[images >= 0] for images in case['label_to_file']]
        random = np.random.RandomState(scalar(data, 'numpy_seed'))
        found = class_balanced_sequence(lists, case['presence'], num_draws, random)
        np.testing.assert_array_equal(found, case['sequence'])
        for label, images in enumerate(lists):
            assert sorted(images) == np.flatnonzero(case['presence'][:, label]).tolist(), (
                'the lists must agree with the classes of the images'
            )


# Transforms. The images of the files are RGB, ours are BGR.


def close(found: np.ndarray, expected: np.ndarray, levels: int = 1) -> None:
    assert found.shape == expected.shape and found.dtype == expected.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).max() <= levels


def resized(data: dict, root: Path) -> dict:
    """Return the image and the label after our pipeline, read from files."""
    Image.fromarray(data['image']).save(root / 'image.png')
    Image.fromarray(data['label']).save(root / 'label.png')
    known = {int(id): int(id) for id in np.unique(data['label'])}
    return Compose(
        [
            dict(type='LoadDomainImage'),
            dict(type='LoadDomainAnnotations', table=known),
            dict(
                type='Resize',
                scale=tuple(data['resize/size_hw'][::-1].tolist()),
                keep_ratio=False,
                backend='pillow',
                interpolation='bicubic',
            ),
            dict(type='PackSegInputs'),
        ]
    )(dict(img_path=str(root / 'image.png'), seg_map_path=str(root / 'label.png'), seg_fields=[]))


@pytest.mark.parametrize('path', golden_files('sdca', 'transforms'))
def test_resize_and_normalise(path, tmp_path):
    data = load(path)
    packed = resized(data, tmp_path)
    close(packed['inputs'].numpy()[::-1].transpose(1, 2, 0), data['resize/image'])
    np.testing.assert_array_equal(packed['data_samples'].gt_sem_seg.data[0].numpy(), data['resize/label'])
    for name, settings in (('imagenet', IMAGENET), ('caffe', CAFFE)):
        batch = dict(source=dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']]))
        tensor = DomainPairPreprocessor(**settings)(batch, training=True)['source']['inputs'][0].numpy()
        # The resize can differ by one grey level, here in the units of the tensor.
        tolerance = 1 / min(settings['std']) + 1e-4
        np.testing.assert_allclose(tensor, data[f'normalize_{name}/tensor'], rtol=0, atol=tolerance)
        if np.array_equal(packed['inputs'].numpy()[::-1].transpose(1, 2, 0), data['resize/image']):
            np.testing.assert_allclose(tensor, data[f'normalize_{name}/tensor'], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize('path', golden_files('sdca', 'transforms'))
def test_grey_and_blur(path):
    data = load(path)
    image = np.ascontiguousarray(data['resize/image'][..., ::-1])
    close(grayscale(image), data['gray/image'])
    sigmas = [match[1] for match in (re.fullmatch(r'blur_(.+)/image', key) for key in data) if match]
    assert sigmas
    for sigma in sigmas:
        close(gaussian_blur(image, float(sigma))[..., ::-1], data[f'blur_{sigma}/image'])


@pytest.mark.parametrize('path', golden_files('sdca', 'transforms'))
def test_scale_pad_crop_and_flip(path):
    """The registered transforms give the stored results with the stored random numbers."""
    data = load(path)
    row, column, *window_size = data['crop/ijhw'].tolist()
    crop_size = tuple(data['crop/size_hw'].tolist())
    assert window_size == list(crop_size)
    shape = data['image'].shape[:2]
    assert plan_scale(shape, (0.5, 1.5), Fixed(data['scale/u_f64'])) == data['scale/label'].shape
    window = plan_window(data['scale/label'].shape, crop_size, Fixed(row, column))
    assert window.padded == tuple(data['crop/padded_hw']) and window.corner == (row, column)

    drawn = Fixed(scalar(data, 'scale/u_f64'), row, column)
    results = dict(
        img=np.ascontiguousarray(data['image'][..., ::-1]),
        gt_seg_map=data['label'],
        img_shape=shape,
        seg_fields=['gt_seg_map'],
    )
    steps = dict(
        scale=dict(type='RandomScale', range=(0.5, 1.5), draws=drawn),
        crop=dict(type='PadCrop', size=crop_size, draws=drawn),
        flip=dict(type='RandomFlip', prob=1.0),
    )
    for name, step in steps.items():
        results = Compose([step])(results)
        close(results['img'][..., ::-1], data[f'{name}/image'])
        np.testing.assert_array_equal(results['gt_seg_map'], data[f'{name}/label'])
        assert tuple(results['img_shape']) == data[f'{name}/label'].shape
    np.testing.assert_array_equal(cut_window(data['scale/image'], window, 0), data['crop/image'])


# Ids. The originals ignore unknown ids, which ours do with `unknown=255`.

LOAD = dict(type='LoadDomainAnnotations', unknown=255)


def one_label(root: Path, folders: tuple, name: str) -> Path:
    """Create the folders of a pair and return the path of its label. The image is not used."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root / folders[1] / name


def cityscapes_ids(root: Path, ids: np.ndarray, classes: tuple) -> np.ndarray:
    path = one_label(root, ('leftImg8bit', 'gtFine'), 'a_gtFine_labelIds.png')
    Image.fromarray(ids).save(path)
    Image.new('RGB', ids.shape[::-1]).save(root / 'leftImg8bit' / 'a_leftImg8bit.png')
    return CityscapesDataset(
        data_root=str(root),
        data_prefix=dict(img_path='leftImg8bit', seg_map_path='gtFine'),
        seg_map_suffix='_gtFine_labelIds.png',
        metainfo=dict(classes=classes),
        pipeline=[dict(LOAD, table='cityscapes')],
    )[0]['gt_seg_map']


def gta_ids(root: Path, ids: np.ndarray) -> np.ndarray:
    path = one_label(root, ('images', 'labels'), '00001.png')
    label = Image.frombytes('P', ids.shape[::-1], ids.tobytes())
    label.putpalette([(5 * i) % 256 for i in range(768)])
    label.save(path)
    Image.new('RGB', ids.shape[::-1]).save(root / 'images' / '00001.png')
    return GTA5Dataset(data_root=str(root), pipeline=[LOAD])[0]['gt_seg_map']


def synthia_ids(root: Path, rgb: np.ndarray) -> np.ndarray:
    path = one_label(root, ('RGB', 'GT/LABELS'), '0000000.png')
    assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))
    Image.new('RGB', rgb.shape[1::-1]).save(root / 'RGB' / '0000000.png')
    return SYNTHIADataset(data_root=str(root), metainfo=dict(classes=SYNTHIA16), pipeline=[LOAD])[0]['gt_seg_map']


@pytest.mark.parametrize('path', golden_files('sdca', 'labels'))
def test_ids(path, tmp_path):
    data = load(path)
    for classes in (CITYSCAPES_CLASSES, SYNTHIA16):
        np.testing.assert_array_equal(
            cityscapes_ids(tmp_path / str(len(classes)), data['ids'], classes), data[f'cityscapes{len(classes)}']
        )
    np.testing.assert_array_equal(gta_ids(tmp_path / 'gta', data['ids']), data['gtav19'])
    np.testing.assert_array_equal(
        synthia_ids(tmp_path / 'synthia', data['synthia_label_image_rgb16']), data['synthia16']
    )


@pytest.mark.parametrize('num_classes', [19, 16])
@pytest.mark.parametrize('path', golden_files('sdca', 'labels'))
def test_ids_of_pseudo_labels(path, num_classes, tmp_path):
    """Valid ids are read as in the original; a file with others, which the original ignores, is refused."""
    data = load(path)
    ids, expected = data['ids'], data[f'softlabel{num_classes}']
    sample = dict(seg_map_path=str(tmp_path / 'label.png'), num_classes=num_classes)
    valid = (ids < num_classes) | (ids == 255)
    assert (expected[~valid] == 255).all()
    Image.fromarray(np.where(valid, ids, 255).astype(np.uint8)).save(tmp_path / 'label.png')
    np.testing.assert_array_equal(LoadPseudoLabel()(dict(sample))['gt_seg_map'], expected)
    if not valid.all():
        Image.fromarray(ids).save(tmp_path / 'label.png')
        with pytest.raises(ValueError, match=f'a pseudo label holds train ids 0-{num_classes - 1}'):
            LoadPseudoLabel()(dict(sample))


@pytest.mark.parametrize('num_classes', [19, 16])
@pytest.mark.parametrize('path', golden_files('sdca', 'labels', SHIPPED_DIR))
def test_the_ids_can_tell(path, num_classes):
    ids = load(path)['ids']
    valid = (ids < num_classes) | (ids == 255)
    assert valid.any() and not valid.all()


@pytest.mark.parametrize('path', golden_files('sdca', 'labels'))
def test_ids_of_16_classes_among_19(path):
    expected = load(path)['train16_to_city19']
    np.testing.assert_array_equal(train_ids_among(SYNTHIA16)[: len(expected)], expected)

"""Borders without trusted pixels, through all steps of a pipeline."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmuda.datasets.transforms import LoadTrustedPixels
from mmuda.datasets.untrusted_borders import Border, get_border


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


def loaded(height: int = 1024, width: int = 2048) -> dict:
    image = np.zeros((height, width, 3), np.uint8)
    return dict(img_path='a.png', img=image, img_shape=(height, width), ori_shape=(height, width), seg_fields=[])


def sides(trusted: np.ndarray) -> tuple:
    """Return the numbers of untrusted rows and columns at the top, bottom, left and right."""
    rows, columns = (np.flatnonzero(trusted.any(axis=axis)) for axis in (1, 0))
    assert trusted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    height, width = trusted.shape
    return rows[0], height - 1 - rows[-1], columns[0], width - 1 - columns[-1]


@pytest.mark.parametrize(
    'border, size, wanted',
    [
        ('cityscapes', (1024, 2048), (30, 240, 30, 30)),
        ('cityscapes', (512, 1024), (15, 120, 15, 15)),
        ('cityscapes_rows', (1024, 2048), (30, 240, 0, 0)),
        (dict(top=3, right=5), (40, 60), (3, 0, 0, 5)),
        (Border(bottom=2), (40, 60), (0, 2, 0, 0)),
    ],
)
def test_the_map_of_an_image(border, size, wanted):
    results = LoadTrustedPixels(border=border)(loaded(*size))
    assert sides(results['trusted_map']) == wanted and results['seg_fields'] == ['trusted_map']


def test_it_is_resized_cropped_and_flipped_with_the_image():
    np.random.seed(0)
    steps = [
        dict(type='LoadTrustedPixels', border='cityscapes'),
        dict(type='Resize', scale=(1024, 512), keep_ratio=True),
        dict(type='RandomCrop', crop_size=(512, 1000)),
        dict(type='RandomFlip', prob=1.0),
        dict(type='PackDomainInputs'),
    ]
    packed = Compose(steps)(loaded())
    trusted = packed['data_samples'].trusted.data
    assert trusted.shape == (1, 512, 1000) and packed['inputs'].shape == (3, 512, 1000)
    top, bottom, left, right = sides(trusted[0].numpy())
    assert (top, bottom) == (15, 120) and left + right == 30 - 24 and 'gt_sem_seg' not in packed['data_samples']


def test_rows_that_leave_nothing():
    trusted = LoadTrustedPixels(border=dict(top=3, bottom=50))(loaded(40, 60))['trusted_map']
    assert trusted.shape == (40, 60) and not trusted.any()


def test_packing_without_a_map_is_that_of_mmseg():
    packed = Compose([dict(type='PackDomainInputs')])(loaded(4, 6))
    assert 'trusted' not in packed['data_samples'] and packed['inputs'].shape == (3, 4, 6)


@pytest.mark.parametrize(
    'border, message',
    [
        ('city', "border='city', expected one of .*'cityscapes', 'cityscapes_rows'"),
        (dict(up=3), r"border has the keys \['up'\], expected some of \['top', 'bottom', 'left', 'right', 'size'\]"),
        (dict(top=-1), 'expected numbers of pixels that are not negative'),
    ],
)
def test_wrong_borders_are_an_error(border, message):
    with pytest.raises(ValueError, match=message):
        get_border(border)


def test_it_stands_before_any_change_of_size():
    results = loaded(40, 60) | dict(ori_shape=(80, 120))
    with pytest.raises(ValueError, match='a.png: .*put LoadTrustedPixels directly after the loading of the image'):
        LoadTrustedPixels(border='cityscapes')(results)


def test_the_border_of_a_crop_stays_where_it_is():
    steps = [
        dict(type='Resize', scale=(960, 540), keep_ratio=True),
        dict(type='RandomCrop', crop_size=(512, 512)),
        dict(type='LoadTrustedPixels', border='crop_rows', of='crop'),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDomainInputs'),
    ]
    for _ in range(5):
        trusted = Compose(steps)(loaded(1080, 1920))['data_samples'].trusted.data[0].numpy()
        assert trusted.shape == (512, 512) and sides(trusted) == (15, 120, 0, 0)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(border='crop_rows', of='image'), r"of='image', expected one of \('file', 'crop'\)"),
        (dict(border='crop_rows'), "border='crop_rows' counts rows of a crop: set of='crop'"),
        (dict(border='cityscapes', of='crop'), r"border='cityscapes' belongs to images of \(1024, 2048\)"),
    ],
)
def test_borders_of_files_and_of_crops_are_not_mixed_up(options, message):
    with pytest.raises(ValueError, match=message):
        LoadTrustedPixels(**options)


def test_a_crop_of_which_nothing_is_left_is_an_error():
    with pytest.raises(ValueError, match=r'a.png: the crop has \(128, 256\).*leaves nothing'):
        LoadTrustedPixels(border='crop_rows', of='crop')(loaded(128, 256))

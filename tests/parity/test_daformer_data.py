"""Crop, rare class sampling and resize of DAFormer, compared with stored values of the original."""

import numpy as np
import pytest
import torch
from golden import SHIPPED_DIR, cases, golden_files, load, scalar, section
from mmengine.registry import DefaultScope
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample

import mmuda  # noqa: F401
from mmuda.datasets import RandomClassCrop, RareClassDraws
from mmuda.datasets.transforms.class_crop import WANTED_CLASS, WANTED_PIXELS, mixed_windows
from mmuda.datasets.transforms.draws import NumPyDraws
from mmuda.models import DomainPairPreprocessor

FLOAT = 2e-5
"""Tolerance that the files suggest, relative to the largest value of an array."""


def pattern(height: int, width: int) -> np.ndarray:
    """Return the image of the crop cases."""
    y, x, c = np.ogrid[:height, :width, :3]
    return ((7 * y + 3 * x + 11 * c) % 256).astype(np.uint8)


@pytest.mark.parametrize('path', golden_files('daformer', 'crop_cat_max'))
def test_crop(path):
    for i, case in cases(load(path)):
        label, size, ratio = case['label'], tuple(case['crop_size_hw'].tolist()), scalar(case, 'cat_max_ratio_f64')
        np.random.seed(scalar(case, 'numpy_seed'))
        tried = list(mixed_windows(label, size, ratio, NumPyDraws()))
        assert np.array_equal(tried, case['tried_y1_y2_x1_x2']), i

        np.random.seed(scalar(case, 'numpy_seed'))
        sample = dict(img=pattern(*label.shape), gt_seg_map=label, seg_fields=['gt_seg_map'])
        found = RandomClassCrop(size, ratio)(sample)
        assert np.array_equal(found['img'], case['image_out']), i
        assert np.array_equal(found['gt_seg_map'], case['label_out']), i
        assert found['img_shape'] == case['label_out'].shape


def draws_of(data: dict, temperature: float) -> RareClassDraws:
    return RareClassDraws(data['pixels'], temperature, scalar(data, 'min_pixels'))


@pytest.mark.parametrize('path', golden_files('daformer', 'rcs'))
def test_class_probabilities(path):
    data = load(path)
    temperatures = {key.split('/')[0]: float(key.split('/')[0][2:]) for key in data if key.startswith('T_')}
    assert temperatures
    wanted = {temperature: section(data, name) for name, temperature in temperatures.items()}
    wanted[scalar(data, 'temperature_f64')] = data
    for temperature, stored in wanted.items():
        draws = draws_of(data, temperature)
        assert draws.classes.tolist() == stored['classes_ascending'].tolist()
        assert draws.probabilities.dtype == np.float32
        np.testing.assert_allclose(draws.probabilities, stored['class_probs'], rtol=0, atol=FLOAT)


@pytest.mark.parametrize('path', golden_files('daformer', 'rcs'))
def test_rare_class_draws(path):
    """The class and the image are those of the original, which then draws its target from the same generator."""
    data = load(path)
    draws = draws_of(data, scalar(data, 'temperature_f64'))
    eligible = {int(key[len('class') :]): images for key, images in section(data, 'eligible').items()}
    assert {label: images.tolist() for label, images in draws.images.items()} == {
        label: images.tolist() for label, images in eligible.items() if len(images)
    }
    for i, seed in enumerate(data['draw/numpy_seed']):
        random = np.random.RandomState(seed)
        assert draws.draw(random) == (data['draw/class'][i], data['draw/file'][i])
        assert random.choice(range(scalar(data, 'num_target'))) == data['draw/target_index'][i]


class Counting(NumPyDraws):
    """Draws that place the k-th window at row k."""

    def __init__(self) -> None:
        self.drawn = 0

    def integer(self, low: int, high: int) -> int:
        self.drawn += 1
        return (self.drawn - 1) // 2 if self.drawn % 2 else 0


def limit_of(data: dict) -> float:
    """Return the number of pixels of the drawn class that a crop must exceed."""
    return scalar(data, 'min_pixels') * scalar(data, 'min_crop_ratio_f64')


@pytest.mark.parametrize('path', golden_files('daformer', 'rcs', SHIPPED_DIR))
def test_the_shipped_file_can_tell(path):
    """It has several temperatures, and a crop with the limit of pixels, which tells > from >= in the next test."""
    data = load(path)
    assert sum(key.startswith('T_') for key in data) >= 3
    assert (data['crop_class_pixels'] == limit_of(data)).any()


@pytest.mark.parametrize('path', golden_files('daformer', 'rcs'))
def test_crop_retries(path):
    """The original's retries: row k of the label has the class pixels of its run k, and windows are one row high."""
    data = load(path)
    limit = limit_of(data)
    for label, file, runs, kept in zip(
        *(data[f'draw/{name}'] for name in ('class', 'file', 'pipeline_runs', 'kept_run_index')), strict=True
    ):
        pixels = data['crop_class_pixels'][file, :, label]
        row = np.full((len(pixels), pixels.max() + 1), 255, np.uint8)
        row[np.arange(row.shape[1]) < pixels[:, None]] = label
        sample = dict(img=np.zeros((*row.shape, 3), np.uint8), gt_seg_map=row, seg_fields=['gt_seg_map'])
        if scalar(data, 'min_crop_ratio_f64'):  # without a ratio, the original accepts any crop
            sample |= {WANTED_CLASS: int(label), WANTED_PIXELS: limit}
        draws = Counting()
        found = RandomClassCrop((1, row.shape[1]), draws=draws)(sample)['gt_seg_map']
        assert draws.drawn == 2 * runs
        assert np.array_equal(found[0], row[kept])


@pytest.mark.parametrize('path', golden_files('daformer', 'resize_normalize'))
def test_resize(path):
    data = load(path)
    for i, case in cases(data):
        sample = dict(img=case['image_u8_bgr'], gt_seg_map=case['label'], seg_fields=['gt_seg_map'])
        found = resize(case['img_scale_wh'], sample)
        apart = np.abs(found['img'].astype(int) - case['resized_u8_bgr'])
        assert apart.max() <= 1, (i, 'OpenCV can differ by one grey level')
        assert np.array_equal(found['gt_seg_map'], case['label_resized']), i
        assert np.allclose(normalized(data, case), case['normalized_rgb_hwc_rows8'], rtol=0, atol=1e-5), i
    for old, scale, new in zip(data['size/old_wh'], data['size/scale_wh'], data['size/new_wh'], strict=True):
        sample = dict(img=np.zeros((old[1], old[0], 3), np.uint8))
        assert resize(scale, sample)['img'].shape[1::-1] == tuple(new)


def normalized(data: dict, case: dict) -> np.ndarray:
    """Return eight rows (8, W, 3) of a resized image after the preprocessor."""
    preprocessor = DomainPairPreprocessor(mean=data['mean'].tolist(), std=data['std'].tolist(), bgr_to_rgb=True)
    image = torch.from_numpy(case['resized_u8_bgr']).permute(2, 0, 1)
    batch = preprocessor(dict(source=dict(inputs=[image], data_samples=[SegDataSample()])), training=True)
    return batch['source']['inputs'][0, :, :8].permute(1, 2, 0).numpy()


def resize(scale: np.ndarray, sample: dict) -> dict:
    with DefaultScope.overwrite_default_scope('mmseg'):
        return TRANSFORMS.build(dict(type='Resize', scale=tuple(scale.tolist()), keep_ratio=True))(sample)

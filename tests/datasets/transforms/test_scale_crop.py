"""A random scale and a padded random crop."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmuda.datasets.pairs.domain_pair import seeded
from mmuda.datasets.transforms import PadCrop, RandomScale, plan_scale, plan_window
from mmuda.datasets.transforms.draws import NumPyDraws
from mmuda.datasets.transforms.scale_crop import cut_window


class Fixed:
    """A source of draws with given results."""

    def __init__(self, *numbers) -> None:
        self.numbers = list(numbers)

    def integer(self, low, high):
        assert low <= self.numbers[0] < high
        return self.numbers.pop(0)

    def fraction(self, high):
        return self.numbers.pop(0) * high


def sample(height: int = 20, width: int = 30, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    return dict(
        img=rng.integers(1, 256, (height, width, 3), dtype=np.uint8),
        gt_seg_map=rng.integers(0, 19, (height, width), dtype=np.uint8),
        img_shape=(height, width),
        img_path='x.png',
        seg_fields=['gt_seg_map'],
    )


@pytest.mark.parametrize(
    'shape, factors, u, size',
    [
        ((1024, 2048), (0.5, 1.5), 0.0, (512, 1024)),
        ((1024, 2048), (0.5, 1.5), 0.999, (1534, 3069)),
        ((30, 44), (1.0, 1.0), 0.4, (30, 44)),
        ((3, 5), (0.1, 0.2), 0.0, (1, 1)),
    ],
)
def test_sizes_are_cut_to_whole_pixels(shape, factors, u, size):
    assert plan_scale(shape, factors, Fixed(u)) == size


def test_factors_fill_the_range():
    with seeded(0):
        sizes = [plan_scale((1000, 2000), (0.5, 1.5), NumPyDraws()) for _ in range(1000)]
    heights = np.array([height for height, _ in sizes])
    assert 500 <= heights.min() < 510 and 1490 < heights.max() < 1500 and abs(heights.mean() - 1000) < 40
    assert all(abs(width - 2 * height) <= 1 for height, width in sizes)


@pytest.mark.parametrize('range', [(0.5, 0.9), (1.1, 1.5), (1.0, 1.0)])
def test_image_and_label_are_scaled_alike(range):
    before = sample()
    with seeded(1):
        after = RandomScale(range).transform(dict(before))
    with seeded(1):
        height, width = plan_scale((20, 30), range, NumPyDraws())
    image = Image.fromarray(before['img']).resize((width, height), Image.Resampling.BICUBIC)
    label = Image.fromarray(before['gt_seg_map']).resize((width, height), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(after['img'], np.asarray(image))
    np.testing.assert_array_equal(after['gt_seg_map'], np.asarray(label))
    assert after['img_shape'] == (height, width) and after['scale'] == (width, height)
    assert after['scale_factor'] == (width / 30, height / 20)


@pytest.mark.parametrize(
    'shape, size, padding, padded',
    [
        ((20, 29), (28, 40), (8, 11), (36, 51)),
        ((20, 50), (28, 40), (8, 0), (36, 50)),
        ((28, 40), (28, 40), (0, 0), (28, 40)),
        ((100, 90), (28, 40), (0, 0), (100, 90)),
    ],
)
def test_both_ends_are_padded_by_all_that_is_missing(shape, size, padding, padded):
    with seeded(2):
        windows = [plan_window(shape, size, NumPyDraws()) for _ in range(3000)]
    assert {(window.padding, window.padded, window.size) for window in windows} == {(padding, padded, size)}
    for axis in range(2):
        corners = {window.corner[axis] for window in windows}
        assert corners == set(range(padded[axis] - size[axis] + 1)), 'every possible corner must occur'


@pytest.mark.parametrize('shape', [(20, 29), (20, 50), (28, 40), (60, 41), (50, 12), (1, 1)])
@pytest.mark.parametrize('seed', range(4))
def test_the_window_is_that_of_the_padded_image(shape, seed):
    before = sample(*shape)
    with seeded(seed):
        window = plan_window(shape, (28, 40), NumPyDraws())
    with seeded(seed):
        after = PadCrop((28, 40)).transform(dict(before))
    (high, wide), (row, column) = window.padding, window.corner
    for key, border in (('img', 0), ('gt_seg_map', 255)):
        margins = ((high, high), (wide, wide), (0, 0))[: before[key].ndim]
        padded = np.pad(before[key], margins, constant_values=border)
        assert padded.shape[:2] == window.padded
        np.testing.assert_array_equal(after[key], padded[row : row + 28, column : column + 40])
        assert after[key].flags.c_contiguous
    assert after['img_shape'] == (28, 40)
    assert ((after['img'] == 0).all(axis=2) == (after['gt_seg_map'] == 255)).all()


def test_another_colour_outside():
    window = plan_window((2, 2), (4, 4), Fixed(0, 0))
    assert cut_window(np.zeros((2, 2, 3), np.uint8), window, 9)[0, 0].tolist() == [9, 9, 9]
    assert (PadCrop((4, 4), pad_value=9).transform(sample(2, 2))['img'] == 9).any()


def test_without_a_label():
    bare = dict(img=sample()['img'])
    assert Compose([RandomScale(), PadCrop((8, 8))])(bare)['img'].shape == (8, 8, 3)


def test_all_labels_are_cut():
    two = dict(sample(), second=sample(seed=1)['gt_seg_map'], seg_fields=['gt_seg_map', 'second'])
    after = Compose([RandomScale((0.5, 0.5)), PadCrop((40, 40))])(two)
    assert after['second'].shape == after['gt_seg_map'].shape == (40, 40)
    np.testing.assert_array_equal(after['second'] == 255, after['gt_seg_map'] == 255)


def test_the_same_again_for_the_same_seed():
    def once(seed):
        with seeded(seed):
            return Compose([RandomScale(), PadCrop((16, 16))])(sample())

    np.testing.assert_array_equal(once(5)['img'], once(5)['img'])
    assert (once(5)['img'] != once(6)['img']).any()


@pytest.mark.parametrize(
    'make, told',
    [
        (lambda: RandomScale((1.5, 0.5)), '0 < smallest <= largest'),
        (lambda: RandomScale((0.0, 1.0)), '0 < smallest <= largest'),
        (lambda: RandomScale((1.0,)), 'smallest, largest'),
        (lambda: PadCrop((0, 5)), 'at least 1 pixel'),
        (lambda: PadCrop((5,)), 'height, width'),
        (lambda: PadCrop((5, 5), pad_value=256), 'pad_value must be in 0..255, but got 256'),
    ],
)
def test_settings_out_of_bounds(make, told):
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.parametrize('step', [RandomScale(), PadCrop((8, 8))])
def test_bad_samples_are_told(step):
    with pytest.raises(TypeError, match='image x.png must be .* but is .* float32'):
        step.transform(dict(sample(), img=sample()['img'].astype(np.float32)))
    with pytest.raises(TypeError, match='gt_seg_map of x.png must be uint8 train ids, but is int64'):
        step.transform(dict(sample(), gt_seg_map=sample()['gt_seg_map'].astype(np.int64)))
    with pytest.raises(ValueError, match=r'is \(5, 5\), but the image is \(20, 30\)'):
        step.transform(dict(sample(), gt_seg_map=np.zeros((5, 5), np.uint8)))
    assert TRANSFORMS.get(type(step).__name__) is type(step) and type(step).__name__ in repr(step)

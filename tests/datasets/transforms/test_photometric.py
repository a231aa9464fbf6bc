"""Colour jitter, grey and blur, compared with formulas written here."""

import colorsys
from collections import Counter

import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from mmuda.datasets.pairs.domain_pair import seeded
from mmuda.datasets.transforms import ColorJitter, RandomGaussianBlur, RandomPillowGrayscale
from mmuda.datasets.transforms.photometric import adjust, gaussian_blur, grayscale

LUMA = np.array([114, 587, 299]) / 1000
"""Weights of blue, green and red."""

JITTER = dict(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2)


def image(seed: int = 0, height: int = 9, width: int = 13) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blend(image: np.ndarray, other: np.ndarray, factor: float) -> np.ndarray:
    """Blend two images: the factor 1 gives the first one, 0 the other, and more than 1 extrapolates."""
    mixed = np.float32(other) + np.float32(factor) * (np.float32(image) - np.float32(other))
    return np.clip(mixed, 0, 255)


def grey(image: np.ndarray) -> np.ndarray:
    return np.rint(image @ LUMA)[..., None]


@pytest.mark.parametrize('factor', [0.5, 0.83, 1.0, 1.27, 1.5])
@pytest.mark.parametrize(
    'name, other',
    [
        ('brightness', lambda image: np.zeros(1)),
        ('contrast', lambda image: np.floor(grey(image).mean() + 0.5)),
        ('saturation', grey),
    ],
)
def test_blends(name, factor, other):
    found = adjust(image(), [(name, factor)])
    assert found.shape == image().shape and found.dtype == np.uint8
    # Pillow truncates, and it may round the grey value differently at one half.
    difference = blend(image(), other(image()), factor) - found
    assert difference.min() > -1.01 and difference.max() < 1.51
    if factor == 1:
        np.testing.assert_array_equal(found, image())


def hue_of(pixel) -> float:
    blue, green, red = (channel / 255 for channel in pixel)
    return colorsys.rgb_to_hsv(red, green, blue)[0]


@pytest.mark.parametrize('part', [-0.5, -0.2, -0.07, 0.1, 0.2, 0.45])
def test_hue_is_turned(part):
    colourful = np.array([[(0, 0, 255), (0, 255, 0), (255, 0, 0), (30, 200, 120), (220, 20, 160)]], np.uint8)
    found = adjust(colourful, [('hue', part)])
    for before, after in zip(colourful[0], found[0], strict=True):
        turned = (hue_of(after) - hue_of(before) - part) % 1
        assert min(turned, 1 - turned) < 3 / 255
        assert max(after) == max(before) and abs(int(min(after)) - int(min(before))) <= 2
    grey_image = np.full((2, 2, 3), 77, np.uint8)
    np.testing.assert_array_equal(adjust(grey_image, [('hue', part)]), grey_image)


def test_the_channels_are_blue_green_red():
    """The channel order is BGR: turning the hue of red by a third gives green."""
    red = np.array([[[0, 0, 255]]], np.uint8)
    blue, green, red_left = adjust(red, [('hue', 1 / 3)])[0, 0]
    assert green == 255 and blue < 10 and red_left < 10
    assert grayscale(red).tolist() == [[[76, 76, 76]]] and grayscale(red[..., ::-1]).tolist() == [[[29, 29, 29]]]


def test_adjustments_are_made_in_their_order():
    steps = [('brightness', 1.5), ('contrast', 0.5)]
    one_by_one = adjust(adjust(image(), steps[:1]), steps[1:])
    np.testing.assert_array_equal(adjust(image(), steps), one_by_one)
    assert (adjust(image(), steps[::-1]) != one_by_one).any()
    with pytest.raises(KeyError, match='gamma'):
        adjust(image(), [('gamma', 1.0)])


def test_jitter_draws_orders_and_amounts():
    step = ColorJitter(**JITTER)
    with seeded(0):
        drawn = [step.draw() for _ in range(2000)]
    orders = Counter(tuple(name for name, _ in steps) for steps in drawn)
    assert len(orders) == 24 and max(orders.values()) < 3 * min(orders.values()), (
        'all orders must be about equally likely'
    )
    for name, strength in JITTER.items():
        amounts = np.array([dict(steps)[name] for steps in drawn])
        low, high = (-strength, strength) if name == 'hue' else (1 - strength, 1 + strength)
        assert low <= amounts.min() < low + 0.02 and high - 0.02 < amounts.max() <= high
        assert abs(amounts.mean() - (low + high) / 2) < 0.03


def test_jitter_comes_from_numpys_generator():
    def once(seed):
        with seeded(seed):
            return ColorJitter(**JITTER).transform(dict(img=image()))['img']

    np.testing.assert_array_equal(once(1), once(1))
    assert (once(1) != once(2)).any() and (once(1) != image()).any()


def test_jitter_of_no_strength_does_nothing():
    pixels = image()
    assert ColorJitter().draw() == () and ColorJitter().transform(dict(img=pixels))['img'] is pixels
    assert [name for name, _ in ColorJitter(contrast=0.3).draw()] == ['contrast']


@pytest.mark.parametrize(
    'settings, name, limits',
    [
        (dict(brightness=1.7), 'brightness', (0.0, 2.7)),
        (dict(saturation=(0.2, 0.4)), 'saturation', (0.2, 0.4)),
        (dict(hue=[-0.1, 0.3]), 'hue', (-0.1, 0.3)),
        (dict(contrast=(1.0, 1.0)), 'contrast', None),
        (dict(contrast=(0.0, 0.0)), 'contrast', (0.0, 0.0)),
    ],
)
def test_ranges(settings, name, limits):
    assert ColorJitter(**settings).ranges[name] == limits


@pytest.mark.parametrize(
    'settings, told',
    [
        (dict(brightness=-0.1), 'brightness must be a strength >= 0'),
        (dict(hue=0.6), r'hue=0.6 gives the range \(-0.6, 0.6\), which must lie in \(-0.5, 0.5\)'),
        (dict(contrast=(1.2, 0.8)), r'gives the range \(1.2, 0.8\)'),
        (dict(saturation=(-0.5, 1)), r'gives the range \(-0.5, 1\)'),
        (dict(saturation=(1, 1, 1)), 'a pair'),
    ],
)
def test_strengths_out_of_bounds(settings, told):
    with pytest.raises(ValueError, match=told):
        ColorJitter(**settings)


def test_grey_with_a_probability():
    pixels = image()
    with seeded(3):
        grey_ones = [RandomPillowGrayscale(0.2).transform(dict(img=pixels))['img'] for _ in range(1000)]
    assert 150 < sum(found is not pixels for found in grey_ones) < 250
    found = RandomPillowGrayscale(1.0).transform(dict(img=pixels))['img']
    assert found.shape == pixels.shape and (found == found[..., :1]).all()
    assert np.abs(found - grey(pixels)).max() <= 1
    assert RandomPillowGrayscale(0.0).transform(dict(img=pixels))['img'] is pixels
    with pytest.raises(ValueError, match='prob must be in'):
        RandomPillowGrayscale(1.2)


@pytest.mark.parametrize('sigma, kernel', [(0.1, 3), (0.7, 3), (2.0, 3), (1.3, 5)])
def test_blur_is_a_mean_with_gaussian_weights(sigma, kernel):
    half = kernel // 2
    offsets = np.arange(-half, half + 1)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    padded = np.pad(image().astype(float), ((half, half), (half, half), (0, 0)), mode='reflect')
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (0, 1))
    expected = (windows * weights).sum(axis=(-2, -1))
    assert np.abs(gaussian_blur(image(), sigma, kernel) - expected).max() <= 0.5 + 1e-3


def test_blur_draws_its_sigma():
    with seeded(4):
        found = RandomGaussianBlur((0.5, 1.5)).transform(dict(img=image()))['img']
    with seeded(4):
        sigma = np.random.uniform(0.5, 1.5)
    np.testing.assert_array_equal(found, gaussian_blur(image(), sigma))
    np.testing.assert_array_equal(
        RandomGaussianBlur(0.8).transform(dict(img=image()))['img'], gaussian_blur(image(), 0.8)
    )
    assert (RandomGaussianBlur().sigma, RandomGaussianBlur().kernel) == ((0.1, 2.0), 3)


@pytest.mark.parametrize(
    'settings, told',
    [
        (dict(sigma=0.0), 'sigma must be'),
        (dict(sigma=(2.0, 1.0)), 'sigma must be'),
        (dict(kernel=4), 'odd'),
        (dict(kernel=-1), 'odd'),
    ],
)
def test_blur_out_of_bounds(settings, told):
    with pytest.raises(ValueError, match=told):
        RandomGaussianBlur(**settings)


@pytest.mark.parametrize('step', [ColorJitter(**JITTER), RandomPillowGrayscale(1.0), RandomGaussianBlur()])
def test_only_eight_bits_in_three_channels(step):
    for wrong in (image().astype(np.float32), image()[..., 0]):
        with pytest.raises(TypeError, match=rf'{type(step).__name__}: the image x.png must be .*to_float32=False'):
            step.transform(dict(img=wrong, img_path='x.png'))
    original = image()
    step.transform(dict(img=original))
    np.testing.assert_array_equal(original, image(), 'the loaded image is not written to')
    assert TRANSFORMS.get(type(step).__name__) is type(step)
    assert type(step).__name__ in repr(step)

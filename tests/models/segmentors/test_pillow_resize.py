"""Resizing of tensors as Pillow resizes float images."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmuda.models.segmentors import pillow_resize

FILTERS = dict(bilinear=Image.BILINEAR, bicubic=Image.BICUBIC, lanczos=Image.LANCZOS)
DEVICES = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]


def by_pillow(maps: np.ndarray, size, name: str) -> np.ndarray:
    """Resize maps (N, C, H, W) float32 with Pillow, plane by plane."""
    planes = [
        np.array(Image.fromarray(plane).resize(size[::-1], FILTERS[name]))
        for plane in maps.reshape(-1, *maps.shape[-2:])
    ]
    return np.stack(planes).reshape(*maps.shape[:2], *size)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('name', FILTERS)
@pytest.mark.parametrize(
    'size, new_size',
    [
        ((5, 8), (40, 64)),  # to the input size of a network
        ((40, 64), (37, 61)),
        ((58, 116), (64, 128)),
        ((116, 58), (33, 17)),
        ((65, 129), (513, 1025)),  # the output size of a network with pooling that rounds up
        ((30, 200), (31, 7)),  # one axis larger, one smaller, and more than one block of outputs
        ((200, 30), (200, 90)),
        ((1, 1), (3, 130)),
        ((300, 2), (1, 1)),
    ],
)
def test_equal_to_pillow(size, new_size, name, device):
    maps = noise(2, 3, *size)
    ours = pillow_resize(torch.from_numpy(maps).to(device), new_size, name)
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours.cpu().numpy(), by_pillow(maps, new_size, name), rtol=0, atol=1e-6)


@pytest.mark.parametrize('name', FILTERS)
def test_equal_at_the_size_of_real_images(name):
    """Large sizes are equal, too, where the float32 positions of `F.interpolate(antialias=True)` are wrong by 1e-4."""
    maps = noise(1, 1, 928, 1856)
    ours = pillow_resize(torch.from_numpy(maps), (1100, 1800), name).numpy()
    np.testing.assert_allclose(ours, by_pillow(maps, (1100, 1800), name), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    'new_size, name',
    [
        ((19, 29), 'lanczos'),
        ((21, 31), 'bicubic'),
        ((19, 31), 'bilinear'),
        ((20, 31), 'bilinear'),
        ((19, 30), 'bilinear'),
    ],
)
def test_the_filter_follows_the_direction(new_size, name):
    maps = noise(1, 2, 20, 30)
    np.testing.assert_allclose(
        pillow_resize(torch.from_numpy(maps), new_size).numpy(), by_pillow(maps, new_size, name), rtol=0, atol=1e-6
    )


def test_kernels_are_normalised_and_overshoot():
    step = torch.zeros(1, 1, 4, 8)
    step[..., 4:] = 1
    for name in ('bicubic', 'lanczos'):
        out = pillow_resize(step, (4, 64), name)
        assert out.min() < -0.01 and out.max() > 1.01
        torch.testing.assert_close(out + pillow_resize(1 - step, (4, 64), name), torch.ones_like(out))


@pytest.mark.parametrize('device', DEVICES)
def test_half_precision_is_computed_in_float32(device):
    half = torch.from_numpy(noise(1, 3, 9, 11)).to(device, torch.bfloat16)
    expected = pillow_resize(half.float(), (30, 7))
    with torch.autocast(device, dtype=torch.bfloat16):
        out = pillow_resize(half, (30, 7))
    assert out.dtype == torch.float32
    assert torch.equal(out, expected)


def test_nothing_to_do():
    maps = torch.rand(1, 2, 5, 6)
    assert pillow_resize(maps, (5, 6)) is maps
    assert torch.equal(pillow_resize(maps, torch.Size((5, 6))), maps)


def test_weights_that_were_made_without_gradients_serve_with_them():
    with torch.inference_mode():
        pillow_resize(torch.rand(1, 1, 6, 7), (23, 5), 'bicubic')
    maps = torch.rand(1, 1, 6, 7, requires_grad=True)
    pillow_resize(maps, (23, 5), 'bicubic').sum().backward()
    assert maps.grad.abs().sum() > 0


@pytest.mark.parametrize(
    'shape, size, name, message',
    [
        ((3, 5, 5), (4, 4), 'auto', r'maps \(N, C, H, W\).*\(3, 5, 5\)'),
        ((1, 3, 5, 5), (4, 0), 'auto', r'all positive, but got \(1, 3, 5, 5\) and \(4, 0\)'),
        ((1, 3, 5, 5), (4, 4), 'nearest', "interpolation='nearest', expected 'auto' or one of"),
    ],
)
def test_what_is_refused(shape, size, name, message):
    with pytest.raises(ValueError, match=message):
        pillow_resize(torch.zeros(shape), size, name)

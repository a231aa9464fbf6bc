"""Colour jitter, compared with colorsys and with the formulas."""

import colorsys

import numpy as np
import pytest
import torch

from mmuda.models.teachers import JitterFactors, color_jitter, draw_jitter

IDENTITY = dict(brightness=1.0, contrast=1.0, hue=0.0, saturation=1.0)


@pytest.fixture
def images() -> torch.Tensor:
    images = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    images[0, :, 0] = torch.tensor([0.0, 0.5, 1.0, 1.0, 0.2, 0.2, 0.7]).expand(3, -1)  # grey, black, white
    images[0, :, 1, :3] = torch.eye(3)
    images[1, :, 0, 0] = torch.tensor([0.4, 0.4, 0.1])  # the maximum occurs in two channels
    return images


def factors(order=(0, 1, 2, 3), count: int = 2, **values: float) -> JitterFactors:
    one = {**IDENTITY, **values}
    return JitterFactors(
        **{key: torch.full((count,), value) for key, value in one.items()}, order=torch.tensor([order] * count)
    )


def by_pixel(images: torch.Tensor, change) -> torch.Tensor:
    """Apply a function of (hue, saturation, value) to each pixel, with colorsys."""
    pixels = images.double().permute(0, 2, 3, 1).numpy()
    flat = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) for pixel in pixels.reshape(-1, 3)]
    return torch.from_numpy(np.reshape(flat, pixels.shape)).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize('formulas', ['kornia', 'torchvision'])
def test_neutral_factors_change_nothing(images, formulas):
    torch.testing.assert_close(color_jitter(images, factors(), formulas), images, atol=3e-6, rtol=0)


@pytest.mark.parametrize('turn', [0.1, -0.25, 0.5])
def test_hue_turns_in_hsv(images, turn):
    turned = color_jitter(images, factors(hue=turn))
    torch.testing.assert_close(turned, by_pixel(images, lambda h, s, v: ((h + turn) % 1, s, v)), atol=5e-6, rtol=0)


@pytest.mark.parametrize('factor', [0.0, 0.6, 1.7])
def test_saturation_changes_in_hsv(images, factor):
    changed = color_jitter(images, factors(saturation=factor))
    wanted = by_pixel(images, lambda h, s, v: (h, min(1.0, s * factor), v))
    torch.testing.assert_close(changed, wanted, atol=5e-6, rtol=0)


def test_kornia_adds_brightness_and_multiplies_contrast(images):
    torch.testing.assert_close(color_jitter(images, factors(brightness=1.2)), (images + 0.2).clamp(0, 1))
    torch.testing.assert_close(color_jitter(images, factors(contrast=0.7)), images * 0.7)


def test_torchvision_multiplies_brightness_and_blends_with_grey(images):
    weights = torch.tensor([0.2989, 0.587, 0.114])
    grey = torch.einsum('c,nchw->nhw', weights, images)[:, None]
    torch.testing.assert_close(color_jitter(images, factors(brightness=1.2), 'torchvision'), (images * 1.2).clamp(0, 1))
    mean = grey.mean(dim=(2, 3), keepdim=True)
    wanted = (0.7 * images + 0.3 * mean).clamp(0, 1)
    torch.testing.assert_close(color_jitter(images, factors(contrast=0.7), 'torchvision'), wanted)
    wanted = (1.4 * images - 0.4 * grey).clamp(0, 1)
    torch.testing.assert_close(color_jitter(images, factors(saturation=1.4), 'torchvision'), wanted)


def test_operations_come_in_the_order_that_was_drawn(images):
    first = color_jitter(images, factors(order=(0, 1, 2, 3), brightness=1.25, contrast=0.8))
    second = color_jitter(images, factors(order=(1, 0, 2, 3), brightness=1.25, contrast=0.8))
    torch.testing.assert_close(first, (images + 0.25).clamp(0, 1) * 0.8, atol=5e-6, rtol=0)
    torch.testing.assert_close(second, (images * 0.8 + 0.25).clamp(0, 1), atol=5e-6, rtol=0)


def test_images_keep_their_own_factors_and_are_not_changed_in_place(images):
    before = images.clone()
    drawn = draw_jitter(torch.Generator().manual_seed(3), 0.25, 2)
    both = color_jitter(images, drawn)
    for n in range(2):
        alone = color_jitter(images[n : n + 1], JitterFactors(*(value[n : n + 1] for value in drawn)))
        assert torch.equal(alone[0], both[n])
    assert torch.equal(images, before)


def test_draws_have_their_ranges_and_one_order_if_wanted():
    drawn = draw_jitter(torch.Generator().manual_seed(0), 0.25, 2000)
    for key, centre in IDENTITY.items():
        values = getattr(drawn, key)
        assert values.shape == (2000,) and values.min() >= centre - 0.25 and values.max() <= centre + 0.25
        assert values.mean().item() == pytest.approx(centre, abs=0.02) and values.std().item() > 0.13
    assert (drawn.order.sort(dim=1).values == torch.arange(4)).all() and len(drawn.order.unique(dim=0)) == 24
    assert len(draw_jitter(torch.Generator(), 0.25, 50, one_order=True).order.unique(dim=0)) == 1


def test_unknown_formulas_are_an_error(images):
    with pytest.raises(ValueError, match="formulas='opencv', expected one of"):
        color_jitter(images, factors(), 'opencv')

"""Blur, compared with a convolution by the whole kernel."""

import pytest
import torch
import torch.nn.functional as F

from mmuda.models.teachers.gaussian_blur import gaussian_blur, gaussian_weights, kernel_size


def whole(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Convolve with the two-dimensional kernel in float64."""
    blurred = []
    for image, deviation in zip(images.double(), sigma.double(), strict=True):
        axes = []
        for side in image.shape[-2:]:
            radius = kernel_size(side) // 2
            weights = (-torch.arange(-radius, radius + 1).square() / (2 * deviation**2)).exp()
            axes.append(weights / weights.sum())
        kernel = torch.outer(*axes)[None, None]
        padding = [size // 2 for size in reversed(kernel.shape[-2:]) for _ in range(2)]
        blurred.append(F.conv2d(F.pad(image[:, None], padding, mode='reflect'), kernel)[:, 0])
    return torch.stack(blurred).float()


@pytest.mark.parametrize('size', [(21, 28), (50, 41), (130, 10)])
@pytest.mark.parametrize('sigma', [(0.15, 1.15), (0.6, 0.6), (3.0, 20.0)])
def test_it_is_the_convolution(size, sigma):
    images = 100 * torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor(sigma)
    torch.testing.assert_close(gaussian_blur(images, sigma), whole(images, sigma), atol=1e-4, rtol=1e-5)


def test_an_even_image_stays_as_it_is():
    torch.testing.assert_close(
        gaussian_blur(torch.full((1, 3, 40, 60), 7.0), torch.tensor([1.1])), torch.full((1, 3, 40, 60), 7.0)
    )


@pytest.mark.parametrize('side, size', [(512, 51), (1024, 103), (64, 7), (48, 5), (40, 3), (10, 1)])
def test_the_kernel_is_a_tenth_of_the_side(side, size):
    assert kernel_size(side) == size
    weights = gaussian_weights(side, sigma=100.0)
    assert len(weights) == size // 2 + 1 and 2 * sum(weights) - weights[0] == pytest.approx(1)


def test_a_narrow_kernel_costs_few_taps():
    assert len(gaussian_weights(1024, sigma=1.15)) <= 8 and len(gaussian_weights(1024, sigma=0.15)) == 1

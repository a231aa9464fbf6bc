"""Gaussian blur with a different strength for each image, on the device."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

NEGLIGIBLE = 2.0**-24
"""Smallest relevant weight of a neighbour, relative to that of the pixel itself: less is lost in float32 rounding."""


def kernel_size(side: int) -> int:
    """Return the kernel size of DACS for a side of an image: ``ceil(side / 10)``, minus 1 if that is even."""
    tenth = math.ceil(0.1 * side)
    return tenth if tenth % 2 else tenth - 1


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Return images blurred by normalised Gaussians of :func:`kernel_size`, with reflected borders as in DACS.

    Each axis is blurred by a weighted sum of shifted images. Convolutions with few channels are slower on a CPU, and on
    a GPU they are rounded to TF32 by default.

    Args:
        images: (N, C, H, W) float32 of any range.
        sigma: (N,) standard deviations in pixels, on the CPU, so that reading them is no sync with the device.
    """
    blurred = []
    for image, deviation in zip(images, sigma.tolist(), strict=True):
        for axis in (-1, -2):
            image = _blur_axis(image, axis, gaussian_weights(image.shape[axis], deviation))
        blurred.append(image)
    return torch.stack(blurred)


def gaussian_weights(side: int, sigma: float) -> list[float]:
    """Return the weights of a pixel and of its neighbours at distances 1, 2, ...

    The weights of the pixel and of the neighbours in both directions sum to 1.

    Args:
        side: Number of pixels of the axis.
        sigma: Standard deviation in pixels.
    """
    reach = sigma * math.sqrt(-2 * math.log(NEGLIGIBLE))
    radius = min(kernel_size(side) // 2, int(reach))
    weights = [math.exp(-(distance**2) / (2 * sigma**2)) for distance in range(radius + 1)]
    total = 2 * sum(weights) - 1
    return [weight / total for weight in weights]


def _blur_axis(image: Tensor, axis: int, weights: list[float]) -> Tensor:
    """Return an image (C, H, W) blurred along the axis -1 or -2."""
    side, radius = image.shape[axis], len(weights) - 1
    padding = (radius, radius, 0, 0) if axis == -1 else (0, 0, radius, radius)
    padded = F.pad(image[None], padding, mode='reflect')[0]
    blurred = padded.narrow(axis, radius, side) * weights[0]
    for distance, weight in enumerate(weights[1:], 1):
        for start in (radius - distance, radius + distance):
            blurred.add_(padded.narrow(axis, start, side), alpha=weight)
    return blurred

"""Gaussian blur with another strength for each image, on the device."""

import math

import torch
from torch import Tensor

from .random_stream import to_device


def kernel_size(side: int) -> int:
    """Return the length of DACS' kernel along an image side: a tenth of it, rounded up, less one if that is even."""
    tenth = math.ceil(0.1 * side)
    return tenth if tenth % 2 else tenth - 1


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Return images blurred by normalised Gaussians of :func:`kernel_size`; edges are reflected, as DACS has it.

    The blur of an axis is a product with a (side, side) matrix: convolutions with few channels and long kernels are
    slower on a CPU, and on a GPU they would be rounded to TF32 by default.

    Args:
        images: (N, C, H, W) float32 of any scale.
        sigma: (N,) standard deviations in pixels, on the CPU.
    """
    rows, columns = (blur_matrix(side, to_device(sigma, images.device))[:, None] for side in images.shape[-2:])
    with torch.autocast(images.device.type, enabled=False):
        return rows @ images @ columns.mT


def blur_matrix(side: int, sigma: Tensor) -> Tensor:
    """Return (N, side, side) float32: row i has the weights of all pixels of an axis in the blurred pixel i.

    Args:
        side: Number of pixels.
        sigma: (N,) standard deviations in pixels, on the device of the result.
    """
    radius = kernel_size(side) // 2
    spread = 2 * sigma.float().square()[:, None, None]

    def weight(distance: Tensor) -> Tensor:
        return torch.where(distance.abs() <= radius, (-distance.square() / spread).exp(), 0)

    place = torch.arange(side, device=sigma.device)
    i, j = place[:, None], place
    # Beyond an edge, the pixel as far inside of it counts again; the outermost one is not repeated.
    matrix = weight(i - j)
    matrix += weight(i + j).masked_fill_(j == 0, 0)
    matrix += weight(2 * (side - 1) - i - j).masked_fill_(j == side - 1, 0)
    return matrix / weight(torch.arange(-radius, radius + 1, device=sigma.device)).sum(dim=-1, keepdim=True)

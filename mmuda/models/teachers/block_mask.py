"""Masks that hide square blocks of an image."""

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_blocks(generator: torch.Generator, count: int, size: tuple[int, int], block: int) -> Tensor:
    """Draw a number for each block of each image: (count, 1, h, w) float32 in [0, 1), on the CPU.

    The grid has ``round(H / block)`` rows, halves rounded to the even number, and likewise columns.

    Args:
        generator: A generator of the CPU.
        count: Number of images.
        size: (H, W) of the images.
        block: Side of a block in pixels.

    Raises:
        ValueError: If not even one block fits into the image.
    """
    grid = [round(side / block) for side in size]
    if min(grid) < 1:
        raise ValueError(f'a block of {block} pixels is more than twice as large as the image, {tuple(size)} (H, W)')
    return torch.rand(count, 1, *grid, generator=generator)


def block_mask(blocks: Tensor, size: tuple[int, int], ratio: float) -> Tensor:
    """Return which pixels are visible, (N, 1, H, W) bool (MIC, Hoyer et al., CVPR 2023, eqs. 4 and 5).

    A block is hidden where its number is at most ``ratio``, so a uniform one with that probability, each independently.
    If the sides are no multiples of the block, blocks differ in size by a pixel.

    Args:
        blocks: (N, 1, h, w) from :func:`draw_blocks`.
        size: (H, W) of the images.
        ratio: Share of hidden blocks.
    """
    visible = (blocks > ratio).to(blocks.dtype)
    return F.interpolate(visible, size=tuple(size), mode='nearest').bool()

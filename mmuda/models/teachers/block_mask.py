"""Masks that hide square blocks of an image."""

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_blocks(generator: torch.Generator, count: int, size: tuple[int, int], block: int) -> Tensor:
    """Return one random number for each block of each image, for :func:`block_mask`.

    The grid of blocks has ``round(H / block)`` rows and ``round(W / block)`` columns; Python rounds halves to the even
    number.

    Args:
        generator: A generator of the CPU.
        count: Number of images.
        size: (H, W) of the images.
        block: Height and width of a block in pixels.

    Returns:
        (count, 1, h, w) float32 in [0, 1), on the CPU.

    Raises:
        ValueError: If the grid has no rows or no columns.
    """
    grid = [round(side / block) for side in size]
    if min(grid) < 1:
        raise ValueError(
            f'a block of {block} pixels is at least twice as large as the image, {tuple(size)} (H, W): '
            'use a smaller block'
        )
    return torch.rand(count, 1, *grid, generator=generator)


def block_mask(blocks: Tensor, size: tuple[int, int], ratio: float) -> Tensor:
    """Return the mask of visible pixels (MIC, Hoyer et al., CVPR 2023, eqs. 4 and 5).

    A block is hidden if its number is at most ``ratio``. With uniform numbers, each block is therefore hidden with the
    probability ``ratio``, independently of the others. Blocks differ in height or width by one pixel if H or W is not a
    multiple of the number of blocks.

    Args:
        blocks: (N, 1, h, w) from :func:`draw_blocks`.
        size: (H, W) of the images.
        ratio: Expected share of hidden blocks.

    Returns:
        (N, 1, H, W) bool, True where a pixel is visible.
    """
    visible = (blocks > ratio).to(blocks.dtype)
    return F.interpolate(visible, size=tuple(size), mode='nearest').bool()

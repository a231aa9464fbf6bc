"""Pillow's resampling of float maps, for tensors on any device."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmuda.resampling import auto_filter

FILTERS = ('bilinear', 'bicubic', 'lanczos')

LOBES = 3
"""Support of the Lanczos kernel: it is zero at this distance from its centre."""

BLOCK = 128
"""Number of output rows per matrix product. Their input rows are neighbours, so the matrices are small and dense."""


def pillow_resize(x: Tensor, size: Sequence[int], interpolation: str = 'auto') -> Tensor:
    """Resize maps like ``PIL.Image.resize`` resizes images of mode ``F``, with antialiasing where an image shrinks.

    Each map is resized in float64, as in Pillow. In float32, ``interpolate(antialias=True)`` computes float32 positions
    and is off by up to 1e-4 at the sizes of real images. PyTorch has no Lanczos filter: here it is the product with two
    weight matrices. Values are not clamped: bicubic and Lanczos overshoot.

    Args:
        x: (N, C, H, W) of any floating type.
        size: (height, width) of the result.
        interpolation: ``'bilinear'``, ``'bicubic'`` (a = -0.5), ``'lanczos'`` (3 lobes), or ``'auto'``, CBST's choice:
            Lanczos if both sides shrink, bicubic if both grow, bilinear otherwise.

    Returns:
        (N, C, height, width) float32, equal to Pillow's result up to rounding; ``x`` itself if it is float32 and has
        that size already.

    Raises:
        ValueError: If ``x`` does not have four dimensions, a height or width is 0, or the filter is unknown.
    """
    if x.dim() != 4 or min(x.shape[-2:]) < 1 or len(size) != 2 or min(size) < 1:
        raise ValueError(
            'pillow_resize needs maps (N, C, H, W) and a size (height, width), all positive, but got '
            f'{tuple(x.shape)} and {tuple(size)}'
        )
    if interpolation == 'auto':
        interpolation = auto_filter(tuple(x.shape[-2:]), size)
    if interpolation not in FILTERS:
        raise ValueError(f"interpolation={interpolation!r}, expected 'auto' or one of {FILTERS}")
    x = x.float()
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    planes = x.flatten(0, 1)
    out = planes.new_empty(len(planes), *size)
    for i, plane in enumerate(planes):
        plane = plane.double()
        if interpolation == 'lanczos':
            out[i] = _lanczos_rows(_lanczos_rows(plane.T, size[1]).T, size[0])
        else:
            out[i] = F.interpolate(plane[None, None], size=tuple(size), mode=interpolation, antialias=True)[0, 0]
    return out.view(*x.shape[:2], *size)


def _lanczos_rows(plane: Tensor, length: int) -> Tensor:
    """Resample the rows of a plane (h, w) float64 to (length, w)."""
    if len(plane) == length:
        return plane
    return torch.cat([band.weights @ plane[band.inputs] for band in _lanczos_bands(len(plane), length, plane.device)])


class _Band(NamedTuple):
    """Adjacent rows of the resampling matrix of one axis, without the columns in which they are all zero.

    Attributes:
        inputs: Indices of the columns, which are positions in the input.
        weights: (rows, columns) float64.
    """

    inputs: slice
    weights: Tensor


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # the cached tensors can be used outside of inference mode later
def _lanczos_bands(n_in: int, n_out: int, device: torch.device) -> list[_Band]:
    scale = n_in / n_out
    stretch = max(scale, 1.0)  # shrinking widens the kernel: this is the antialiasing
    centers = (torch.arange(n_out, dtype=torch.float64) + 0.5)[:, None] * scale
    # Pillow casts to int, which rounds towards zero, and then clips.
    first = (centers - LOBES * stretch + 0.5).trunc().clamp(min=0)
    last = (centers + LOBES * stretch + 0.5).trunc().clamp(max=n_in)
    bands = []
    for rows in torch.arange(n_out).split(BLOCK):
        inputs = slice(int(first[rows].min()), int(last[rows].max()))
        places = torch.arange(inputs.start, inputs.stop)
        x = (places + 0.5 - centers[rows]) / stretch
        weights = torch.sinc(x) * torch.sinc(x / LOBES)
        weights *= (places >= first[rows]) & (places < last[rows]) & (x >= -LOBES) & (x < LOBES)
        bands.append(_Band(inputs, (weights / weights.sum(dim=1, keepdim=True)).to(device)))
    return bands

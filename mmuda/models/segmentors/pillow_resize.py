"""Pillow's resampling of float maps, on tensors of any device."""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmuda.resampling import auto_filter

FILTERS = ('bilinear', 'bicubic', 'lanczos')

LOBES = 3
"""Of the Lanczos kernel: it is zero this far from its centre."""

BLOCK = 128
"""Outputs of one product. Their inputs are neighbours, so products stay small and dense."""


def pillow_resize(x: Tensor, size: tuple[int, int], interpolation: str = 'auto') -> Tensor:
    """Resize as ``PIL.Image.resize`` does with images of mode ``F``, which antialiases when it shrinks.

    Computed in float64, plane by plane, as Pillow does: positions in float32 make ``interpolate(antialias=True)`` err
    by up to 1e-4 at the sizes of real images. PyTorch has no Lanczos; here it is two products with the matrices of its
    weights. Values are not clamped: bicubic and Lanczos overshoot.

    Args:
        x: (N, C, H, W) of any floating type.
        size: (height, width) of the result.
        interpolation: ``'bilinear'``, ``'bicubic'`` (a = -0.5), ``'lanczos'`` (3 lobes), or ``'auto'``, CBST's choice:
            Lanczos if both sides shrink, bicubic if both grow, bilinear otherwise.

    Returns:
        (N, C, height, width) float32, within a rounding or two of Pillow's; ``x`` itself if it is that already.

    Raises:
        ValueError: For another number of dimensions, an empty size or an unknown filter.
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
    """A plane (h, w) float64 as (length, w)."""
    if len(plane) == length:
        return plane
    return torch.cat([band.weights @ plane[band.inputs] for band in _lanczos_bands(len(plane), length, plane.device)])


class _Band(NamedTuple):
    """Some neighbouring rows of the matrix that resamples one side, without the columns in which they are zero."""

    inputs: slice
    weights: Tensor


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept may be needed in another mode
def _lanczos_bands(n_in: int, n_out: int, device: torch.device) -> list[_Band]:
    scale = n_in / n_out
    stretch = max(scale, 1.0)  # shrinking widens the kernel: this is the antialiasing
    centers = (torch.arange(n_out, dtype=torch.float64) + 0.5)[:, None] * scale
    # Pillow casts to int, which is towards zero, and then clips.
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

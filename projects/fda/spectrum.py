"""Exchange of low frequencies between images: the style of one, the content of the other."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

WINDOWS = ('released', 'symmetric')


def window_size(size: Sequence[int], beta: float) -> int:
    """Return b = floor(min(H, W) * beta), the half side of the window in frequencies."""
    return math.floor(min(size) * beta)


def window_bounds(size: Sequence[int], beta: float, window: str = 'released') -> tuple[int, int, int]:
    """Return which frequencies of the half spectrum (H, W // 2 + 1) are exchanged, as three numbers.

    Rows are vertical frequencies 0, 1, ..., -1, columns horizontal ones from 0 on. Exchanged are the rows before the
    first number and from the second on, and of these the columns before the third.

    Args:
        size: (H, W) of the images.
        beta: See :func:`window_size`.
        window: ``'released'``: vertical frequencies -b to b - 1 and horizontal ones to b - 1, as the released code has
            it on the PyTorch of its time, whose inverse reads half of the spectrum. Beta below 1 / min(H, W) changes
            nothing. ``'symmetric'``: frequencies -b to b of both axes, as in the NumPy version of the released demo;
            the mean colour is exchanged for any beta.

    Raises:
        ValueError: For an unknown window, or a beta outside [0, 0.5].
    """
    if window not in WINDOWS or not 0 <= beta <= 0.5:
        raise ValueError(f'window={window!r} and beta={beta}, expected one of {WINDOWS} and a number in [0, 0.5]')
    b = window_size(size, beta)
    beyond = int(window == 'symmetric')
    return b + beyond, size[0] - b, b + beyond


def swap_spectrum(source: Tensor, target: Tensor, beta: float, window: str = 'released') -> Tensor:
    r"""Return source images with the low-frequency amplitudes of target images (Yang and Soatto, CVPR 2020, eq. 2).

    .. math:: x^{s \to t} = F^{-1}\left(M_\beta \circ |F(x^t)| + (1 - M_\beta) \circ |F(x^s)|, \angle F(x^s)\right)

    for each channel. Values are not clipped: some leave 0 to 255.

    Args:
        source: (..., H, W) of a floating type, grey values of 0 to 255.
        target: Of the same shape.
        beta: Half side of :math:`M_\beta` relative to the shorter side.
        window: See :func:`window_bounds`.

    Raises:
        ValueError: If the shapes differ, or as :func:`window_bounds`.
    """
    if source.shape != target.shape:
        raise ValueError(
            f'amplitudes are exchanged between images of one size, but got {tuple(source.shape)} and '
            f'{tuple(target.shape)}: resize and crop both alike'
        )
    size = source.shape[-2:]
    first, last, columns = window_bounds(size, beta, window)
    spectrum, style = torch.fft.rfft2(source), torch.fft.rfft2(target)
    for rows in (slice(first), slice(max(first, last), None)):
        low = spectrum[..., rows, :columns]
        low.copy_(torch.polar(style[..., rows, :columns].abs(), low.angle()))
    # The parts of the first and the last column that no real image has are dropped, as the released code does.
    return torch.fft.irfft2(spectrum, s=tuple(size))

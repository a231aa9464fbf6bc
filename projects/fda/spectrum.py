"""Exchange of low frequencies between images: the result has the style of one and the content of the other."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

WINDOWS = ('released', 'symmetric')


def window_size(size: Sequence[int], beta: float) -> int:
    """Return half the side of the window in frequencies, b = floor(min(H, W) * beta)."""
    return math.floor(min(size) * beta)


def window_bounds(size: Sequence[int], beta: float, window: str = 'released') -> tuple[int, int, int]:
    """Return the bounds of the frequencies that are exchanged in the half spectrum (H, W // 2 + 1).

    Rows of the half spectrum are vertical frequencies 0, 1, ..., -1. Columns are horizontal frequencies 0, 1, ...

    Args:
        size: (H, W) of the images.
        beta: See :func:`window_size`.
        window: ``'released'``: vertical frequencies -b to b - 1 and horizontal ones up to b - 1. The released code does
            this on the PyTorch of its time, whose inverse transform reads half of the spectrum. A beta below 1 / min(H,
            W) changes nothing. ``'symmetric'``: frequencies -b to b of both axes, as in the NumPy version of the
            released demo. The mean colour is exchanged for any beta.

    Returns:
        (first, last, columns): rows below ``first`` and rows from ``last`` on are exchanged, in the columns below
        ``columns``.

    Raises:
        ValueError: If the window is unknown, or beta is outside [0, 0.5].
    """
    if window not in WINDOWS or not 0 <= beta <= 0.5:
        raise ValueError(f'window={window!r} and beta={beta}: expected a window of {WINDOWS} and a beta in [0, 0.5]')
    b = window_size(size, beta)
    beyond = int(window == 'symmetric')
    return b + beyond, size[0] - b, b + beyond


def swap_spectrum(source: Tensor, target: Tensor, beta: float, window: str = 'released') -> Tensor:
    r"""Return source images with the low-frequency amplitudes of target images (Yang and Soatto, CVPR 2020, eq. 2).

    .. math:: x^{s \to t} = F^{-1}\left(M_\beta \circ |F(x^t)| + (1 - M_\beta) \circ |F(x^s)|, \angle F(x^s)\right)

    F is the Fourier transform of each channel, and :math:`M_\beta` is 1 in the window of low frequencies and 0
    elsewhere. Values are not clipped: some are outside 0 to 255.

    Args:
        source: (..., H, W), floating point, grey values of 0 to 255.
        target: Same shape and type as ``source``.
        beta: Half the side of the window, relative to the shorter side of the image.
        window: See :func:`window_bounds`.

    Returns:
        (..., H, W), of the type of ``source``.

    Raises:
        ValueError: If the shapes differ, or as :func:`window_bounds`.
    """
    if source.shape != target.shape:
        raise ValueError(
            f'source {tuple(source.shape)} and target {tuple(target.shape)}: amplitudes are exchanged between images '
            'of one shape: resize and crop both to one size'
        )
    size = source.shape[-2:]
    first, last, columns = window_bounds(size, beta, window)
    spectrum, style = torch.fft.rfft2(source), torch.fft.rfft2(target)
    for rows in (slice(first), slice(max(first, last), None)):
        low = spectrum[..., rows, :columns]
        low.copy_(torch.polar(style[..., rows, :columns].abs(), low.angle()))
    # irfft2 ignores the parts of the first and the last column that a real image cannot have. The released code drops
    # them, too.
    return torch.fft.irfft2(spectrum, s=tuple(size))

"""Parts of an image that the detail branch of HRDA reads."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Box(NamedTuple):
    """A rectangle of an image: rows from ``top`` to ``bottom`` - 1, columns from ``left`` to ``right`` - 1."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.bottom - self.top, self.right - self.left

    def within(self, size: Sequence[int]) -> 'Box':
        """Return the part of the rectangle that lies in an image of a size (H, W)."""
        return Box(self.top, min(self.bottom, size[0]), self.left, min(self.right, size[1]))

    def of(self, maps: Tensor) -> Tensor:
        """Return this part of maps (..., H, W), a view."""
        return maps[..., self.top : self.bottom, self.left : self.right]

    def cells(self, stride: float) -> 'Box':
        """Return the rectangle in cells of ``stride`` pixels, with all edges rounded down."""
        return Box(*(int(side / stride) for side in self))


def draw_box(
    size: Sequence[int], crop: Sequence[int], divisor: int, draw: Callable[[int], int], last_place: bool = False
) -> Box:
    """Draw the detail crop of a batch (Hoyer et al., "HRDA", ECCV 2022, section 3.2).

    The row of its corner is drawn first, then the column. The row is one of the first ``(max(H - h, 0) + 1) //
    divisor`` multiples of ``divisor``. The box has the size of the crop, also where that is larger than the images.

    Args:
        size: (H, W) of the images.
        crop: (h, w) of the crop. If it has the size of the images, nothing is drawn.
        divisor: Row and column of the corner are multiples of this number of pixels.
        draw: Function that returns an integer from 0 to below its argument.
        last_place: Whether the last corner that fits can be drawn, too. The released code never draws it if ``divisor``
            divides ``H - h``.
    """
    if tuple(size) == tuple(crop):
        return Box(0, size[0], 0, size[1])
    top, left = (
        divisor * draw(max(1, (max(length - side, 0) + (divisor if last_place else 1)) // divisor))
        for length, side in zip(size, crop, strict=True)
    )
    return Box(top, top + crop[0], left, left + crop[1])


def sliding_windows(size: Sequence[int], window: Sequence[int], overlap: bool = True) -> list[Box]:
    """Return windows that cover an image, row by row; the last one of a row or column ends with the image.

    Args:
        size: (H, W) of the image.
        window: (h, w) of the windows, cut to the size of the image.
        overlap: Whether windows begin half a window apart; otherwise they begin a whole window apart.
    """
    rows, columns = (_along(length, side, overlap) for length, side in zip(size, window, strict=True))
    return [Box(top, bottom, left, right) for top, bottom in rows for left, right in columns]


def _along(length: int, side: int, overlap: bool) -> list[tuple[int, int]]:
    """Return (first, behind the last) pixel of the windows along one side."""
    stride = side // 2 if overlap else side
    ends = [min(number * stride + side, length) for number in range(max(length - side + stride - 1, 0) // stride + 1)]
    return [(max(end - side, 0), end) for end in ends]


def cut_windows(images: Tensor, windows: Sequence[Box]) -> Tensor:
    """Return the windows (windows * N, C, h, w) of images (N, C, H, W): the first window of all images comes first."""
    return torch.cat([window.of(images) for window in windows])


def join_windows(maps: Tensor, windows: Sequence[Box], size: Sequence[int], stride: int) -> Tensor:
    """Return the mean of the maps of overlapping windows, (N, C, H, W).

    Args:
        maps: (windows * N, C, h, w), in the order of :func:`cut_windows`.
        windows: The windows, in pixels of the images.
        size: (H, W) of the result, in cells.
        stride: Side of a cell in pixels of the images.
    """
    parts = maps.chunk(len(windows))
    total = maps.new_zeros(*parts[0].shape[:2], *size)
    count = maps.new_zeros(size)
    for part, window in zip(parts, windows, strict=True):
        place = window.cells(stride)
        place.of(total).add_(part)
        place.of(count).add_(1)
    return total / count

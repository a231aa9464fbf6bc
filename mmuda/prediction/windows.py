"""Prediction of an image of any size in windows that blend into each other, with little memory."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

Predict = Callable[[Sequence[np.ndarray]], list[Tensor]]
"""Function of windows (h, w, 3) that returns the class probabilities (C, h, w) float32 of each."""

Decide = Callable[[Tensor], tuple[np.ndarray, np.ndarray | None]]
"""Function of probabilities (C, h, w) that returns label map and confidence, both (h, w)."""


class RowSource(Protocol):
    """An image that is read a few rows at a time.

    Attributes:
        size: (H, W).
    """

    size: tuple[int, int]

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return the rows from ``start`` to before ``stop``, (stop - start, W, 3) in BGR order."""
        ...


class Span(NamedTuple):
    """A window along one axis, and the part of the image that its prediction is used for.

    Attributes:
        start: First pixel of the window.
        stop: Pixel after its last one.
        low: First pixel that its prediction is used for.
        high: Pixel after the last one that its prediction is used for.
        before: Number of pixels from ``low`` on in which it blends with the window before it.
        after: Number of pixels up to ``high`` in which it blends with the window after it.
    """

    start: int
    stop: int
    low: int
    high: int
    before: int
    after: int


class Band(NamedTuple):
    """Finished rows of an image.

    Attributes:
        top: The first row.
        label: (h, W) uint8.
        confidence: (h, W) float32, or None.
        picture: (h, W, 3), the image, in BGR order.
    """

    top: int
    label: np.ndarray
    confidence: np.ndarray | None
    picture: np.ndarray


def spans(length: int, window: int, overlap: int) -> list[Span]:
    """Return evenly spaced windows over an axis; neighbours share at least ``overlap`` pixels.

    Neighbours blend in at most ``overlap`` pixels in the middle of the pixels that they share. The borders of windows,
    where a network has the least context, are not used.

    Args:
        length: Number of pixels of the image along the axis.
        window: Number of pixels of a window. A shorter image has one window of its length.
        overlap: Number of shared pixels, at most a quarter of the window.

    Raises:
        ValueError: If ``length`` or ``window`` is below 1, or ``overlap`` not in [0, window // 4].
    """
    if min(length, window) < 1 or not 0 <= overlap <= window // 4:
        raise ValueError(
            f'windows of {window} pixels that share {overlap}: give at least one pixel, and share at most a quarter'
        )
    window = min(window, length)
    overlap = min(overlap, window // 4)
    count = math.ceil((length - window) / (window - overlap)) + 1
    starts = [round(number * (length - window) / max(count - 1, 1)) for number in range(count)]
    zones = []
    for first, second in zip(starts, starts[1:], strict=False):
        shared = first + window - second
        width = min(overlap, shared)
        begin = second + (shared - width) // 2
        zones.append((begin, begin + width))
    borders = [(0, 0), *zones, (length, length)]
    return [
        Span(start, start + window, low, high, above - low, high - below)
        for start, (low, above), (below, high) in zip(starts, borders, borders[1:], strict=False)
    ]


def sweep(
    source: RowSource, window: int, overlap: int, predict: Predict, decide: Decide, batch_size: int = 1
) -> Iterator[Band]:
    """Predict an image window by window, and yield its rows from the top as they are finished.

    Where windows overlap, their probabilities are averaged with weights that sum to 1 and change linearly from one
    window to the other, along both axes. Besides the windows of a batch, the memory holds the probabilities of the rows
    in which two rows of windows overlap, (C, overlap, W).

    Args:
        source: The image.
        window: Height and width of a window, in pixels.
        overlap: See :func:`spans`.
        predict: Function that predicts windows.
        decide: Function that turns probabilities into labels.
        batch_size: Number of windows that are predicted together.

    Yields:
        The finished rows.
    """
    height, width = source.size
    columns = spans(width, window, overlap)
    shared: Tensor | None = None  # sums of the last row of windows where the next one overlaps it
    for down in spans(height, window, overlap):
        picture = source.rows(down.start, down.stop)
        rows = down.high - down.after - down.low
        label, confidence = np.empty((rows, width), np.uint8), None
        for across, sums in _blended_columns(picture, columns, predict, batch_size):
            sums = _weighted(sums[:, down.low - down.start : down.high - down.start], 1, down.before, down.after)
            if shared is None:
                most = max(span.after for span in spans(height, window, overlap))
                shared = sums.new_empty(len(sums), most, width)
            if down.before:
                sums[:, : down.before] += shared[:, : down.before, across]
            if down.after:
                shared[:, : down.after, across] = sums[:, rows:]
            found, sure = decide(sums[:, :rows])
            label[:, across] = found
            if sure is not None:
                confidence = np.empty((rows, width), np.float32) if confidence is None else confidence
                confidence[:, across] = sure
        offset = down.low - down.start
        yield Band(down.low, label, confidence, picture[offset : offset + rows])


def _blended_columns(
    picture: np.ndarray, columns: Sequence[Span], predict: Predict, batch_size: int
) -> Iterator[tuple[slice, Tensor]]:
    """Yield finished columns of a row of windows, and their probabilities (C, h, w)."""
    carry: Tensor | None = None  # the last columns of the window before
    for first in range(0, len(columns), batch_size):
        group = columns[first : first + batch_size]
        windows = [np.ascontiguousarray(picture[:, span.start : span.stop]) for span in group]
        for span, probs in zip(group, predict(windows), strict=True):
            sums = _weighted(probs[:, :, span.low - span.start : span.high - span.start], 2, span.before, span.after)
            if carry is not None:
                sums[:, :, : span.before] += carry
            finished = span.high - span.after - span.low
            carry = sums[:, :, finished:].clone()
            yield slice(span.low, span.low + finished), sums[:, :, :finished]


def _weighted(sums: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Multiply the first and last pixels along an axis by weights that rise and fall linearly, in place; return it."""
    shape = [1, 1, 1]
    for count, start, rising in ((before, 0, True), (after, sums.shape[axis] - after, False)):
        if count:
            shape[axis] = count
            ramp = (torch.arange(count, device=sums.device, dtype=sums.dtype) + 0.5) / count
            sums.narrow(axis, start, count).mul_((ramp if rising else 1 - ramp).view(shape))
    return sums

"""Colours of colour-coded labels as numbers, so that a look-up array can map them to classes."""

import re
from collections.abc import Sequence

import cv2
import numpy as np

NUM_COLOURS = 1 << 24

_HEX = re.compile(r'#([0-9a-fA-F]{6})')
_SHOWN = 5


def colour_number(key: object) -> int | None:
    """Return the number ``0xRRGGBB`` of a colour, or None if the key is not a colour.

    Args:
        key: ``(r, g, b)``, or the text ``'#rrggbb'`` or ``'r, g, b'``, which JSON files hold.

    Raises:
        ValueError: If a part is not a number in 0..255, or a sequence does not have three parts.
    """
    if isinstance(key, str):
        match = _HEX.fullmatch(key.strip())
        if match:
            return int(match[1], 16)
        key = key.strip(' ()[]').split(',')
        if len(key) != 3:
            return None
    if not isinstance(key, Sequence):
        return None
    if len(key) != 3:
        raise ValueError(f'{key!r} is not a colour, expected (red, green, blue)')
    red, green, blue = (int(part) for part in key)
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f'{(red, green, blue)} is not a colour: red, green and blue must be in 0..255')
    return red << 16 | green << 8 | blue


def colour_of(number: int) -> tuple[int, int, int]:
    """Return the colour (red, green, blue) of a number."""
    return number >> 16, number >> 8 & 255, number & 255


def colour_numbers(image: np.ndarray) -> np.ndarray:
    """Return the number ``0xRRGGBB`` of the colour of each pixel.

    Args:
        image: (H, W), (H, W, 3) or (H, W, 4) uint8 in OpenCV's order: grey, BGR or BGRA. Alpha is not used.

    Returns:
        (H, W) uint32.
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels != 4:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGRA if channels == 1 else cv2.COLOR_BGR2BGRA)
    packed = np.ascontiguousarray(image).view('<u4')[..., 0]  # the bytes B, G, R, A
    return packed & np.uint32(0xFFFFFF)


def told_colours(numbers: np.ndarray) -> str:
    """Return the most frequent colours as text: ``(128, 64, 128) 52 times, ...``.

    Args:
        numbers: Colours of pixels as numbers, see :func:`colour_numbers`; any shape.
    """
    values, counts = np.unique(numbers, return_counts=True)
    order = np.argsort(counts)[::-1][:_SHOWN]
    told = ', '.join(f'{colour_of(int(values[place]))} {counts[place]:,} times' for place in order)
    return f'{told}{", ..." if len(values) > _SHOWN else ""}'

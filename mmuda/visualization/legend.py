"""A picture with the names and colours of classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .pictures import INK, PAPER, Palette, check_palette

ROWS = 20
"""Largest number of classes in a column."""

TEXT, ROW, SWATCH, GAP = 15, 24, (30, 18), 8
"""Height of the text and of a row, (width, height) of a colour, and space between parts, in pixels."""


def legend_picture(names: Sequence[str], palette: Palette) -> np.ndarray:
    """Return a picture with the colour of each class beside its name, in columns of at most ``ROWS`` classes.

    Args:
        names: Names of the classes. The font has Latin, Greek and Cyrillic letters; others are drawn as boxes.
        palette: RGB colour of each class.

    Returns:
        (H, W, 3) uint8, RGB, with a white background.

    Raises:
        ValueError: If there is no class, or the number of names is not the number of colours.
    """
    import matplotlib  # imported here because it is slow; only its font is used

    colours = check_palette(palette)
    if not names or len(colours) != len(names):
        raise ValueError(f'a legend needs as many colours as names, at least one, not {len(colours)} and {len(names)}')
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')), TEXT)
    columns = [range(first, min(first + ROWS, len(names))) for first in range(0, len(names), ROWS)]
    widths = [SWATCH[0] + 3 * GAP + round(max(font.getlength(names[place]) for place in column)) for column in columns]
    picture = Image.new('RGB', (sum(widths) + GAP, len(columns[0]) * ROW + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    left = GAP
    for column, width in zip(columns, widths, strict=True):
        for row, place in enumerate(column):
            middle = GAP // 2 + row * ROW + ROW // 2
            top = middle - SWATCH[1] // 2
            box = (left, top, left + SWATCH[0] - 1, top + SWATCH[1] - 1)
            draw.rectangle(box, tuple(colours[place].tolist()), outline=INK)
            draw.text((left + SWATCH[0] + GAP, middle), names[place], INK, font, anchor='lm')
        left += width
    return np.array(picture)

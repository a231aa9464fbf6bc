"""Pictures of label maps and of uncertainty, and panels of several pictures."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from torch import Tensor, no_grad

from mmuda.constants import IGNORE_INDEX
from mmuda.models.losses.entropy import self_information

Palette = Sequence[Sequence[int]] | np.ndarray
"""RGB colour of each class, (C, 3), values in [0, 255]."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
CAPTION_HEIGHT = 18
GAP = 4
INK = (40, 44, 52)
PAPER = (255, 255, 255)


def colorize(label: np.ndarray, palette: Palette, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """Return a label map in the colours of the classes.

    Args:
        label: (H, W) uint8, values in [0, C) or ``ignore_index``.
        palette: RGB colour of each of the C classes, values in [0, 255].
        ignore_index: Label whose pixels become black.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        TypeError: If the labels are not uint8.
        ValueError: If the label map is not 2-dimensional, the palette is invalid, or a label has no colour.
    """
    if label.dtype != np.uint8:
        raise TypeError(f'labels must be uint8, not {label.dtype}: convert them with `.astype(np.uint8)`')
    if label.ndim != 2:
        raise ValueError(f'a label map must have the shape (H, W), not {label.shape}')
    table = np.zeros((256, 3), dtype=np.uint8)
    known = np.zeros(256, dtype=bool)
    colours = check_palette(palette)
    table[: len(colours)] = colours
    known[: len(colours)] = True
    table[ignore_index] = 0
    known[ignore_index] = True
    if not known[label].all():
        strange = [value for value in np.unique(label).tolist() if not known[value]]
        raise ValueError(
            f'labels {strange} have no colour: the palette has {len(colours)} colours, and {ignore_index} is '
            'ignored; give train ids, not the raw ids of the data set'
        )
    return table[label]


def check_palette(palette: Palette) -> np.ndarray:
    """Return the palette as (C, 3) uint8.

    Raises:
        ValueError: If it is not a list of at most 256 RGB triples with values in [0, 255].
    """
    colours = np.asarray(palette)
    if colours.ndim != 2 or colours.shape[1] != 3 or len(colours) > 256:
        raise ValueError(f'a palette must be a list of at most 256 RGB triples, not an array of shape {colours.shape}')
    if colours.min() < 0 or colours.max() > 255:
        raise ValueError(f'palette values must be in [0, 255], not in [{colours.min()}, {colours.max()}]')
    return colours.astype(np.uint8)


@no_grad()
def entropy_map(logits: Tensor) -> np.ndarray:
    """Return the entropy of the softmax at each pixel, divided by log C (ADVENT, Vu et al., CVPR 2019, eq. 2).

    Args:
        logits: (C, H, W) of any floating type, C > 1; computed in float32.

    Returns:
        (H, W) float32 in [0, 1]: 0 where one class has probability 1, and 1 where all classes have the same.

    Raises:
        ValueError: If the logits do not have the shape (C, H, W) with C > 1.
    """
    if logits.dim() != 3 or len(logits) < 2:
        raise ValueError(f'logits of one image must have the shape (C, H, W) with C > 1, not {tuple(logits.shape)}')
    # Rounding errors can exceed the interval by about 1e-7.
    return self_information(logits[None]).sum(dim=1)[0].clamp(0, 1).cpu().numpy()


def heat(values: np.ndarray) -> np.ndarray:
    """Return a map of numbers in the colour map 'inferno': from black for 0 over red to pale yellow for 1.

    Args:
        values: (H, W) of a floating type, in [0, 1].

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If the map is not 2-dimensional, or a number is outside [0, 1] or NaN.
    """
    if values.ndim != 2 or not values.size:
        raise ValueError(f'a map of numbers must have the shape (H, W), not {values.shape}')
    low, high = float(values.min()), float(values.max())
    # This form of the condition is also true for NaN, for which every comparison is false.
    if not (low >= 0 and high <= 1):
        raise ValueError(f'numbers for a colour map must be in [0, 1], not in [{low:g}, {high:g}]: scale them first')
    levels = np.rint(values * 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def check_rgb(picture: np.ndarray, name: str) -> None:
    """Check that a picture is (H, W, 3) uint8.

    Raises:
        ValueError: If it is not. The message contains ``name``.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f'picture {name!r} must be (H, W, 3) uint8 RGB, not {picture.dtype} of shape {picture.shape}')


def panel(pictures: Mapping[str, np.ndarray], columns: int, height: int | None = None) -> np.ndarray:
    """Return one picture that shows several pictures in rows, each below its caption.

    Pictures keep their aspect ratio. Shrinking averages pixels. Enlarging repeats pixels, so that small pictures stay
    sharp.

    Args:
        pictures: (H, W, 3) uint8 RGB by caption, row by row. Characters outside ASCII are drawn as '?'.
        columns: Number of pictures in a row.
        height: Common height of the pictures in pixels; by default the height of the tallest one.

    Returns:
        (H', W', 3) uint8, RGB, with a white background.

    Raises:
        ValueError: If there are no pictures, a picture is not (H, W, 3) uint8, or ``columns`` or ``height`` is not
            positive.
    """
    if not pictures:
        raise ValueError('a panel needs at least one picture')
    for name, picture in pictures.items():
        check_rgb(picture, name)
    height = max(picture.shape[0] for picture in pictures.values()) if height is None else height
    if columns < 1 or height < 1:
        raise ValueError(f'columns and height must be positive, not {columns} and {height}')
    tiles = {name: _to_height(picture, height) for name, picture in pictures.items()}
    width = max(tile.shape[1] for tile in tiles.values())
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    row_height = CAPTION_HEIGHT + height + GAP
    sheet = np.full((rows * row_height + GAP, columns * (width + GAP) + GAP, 3), PAPER, dtype=np.uint8)
    for place, (name, tile) in enumerate(tiles.items()):
        top = GAP + place // columns * row_height
        left = GAP + place % columns * (width + GAP)
        # The caption is drawn on a separate strip, so that a long one is cut off at the edge of the strip.
        strip = np.ascontiguousarray(sheet[top : top + CAPTION_HEIGHT, left : left + width])
        _write(strip, name)
        sheet[top : top + CAPTION_HEIGHT, left : left + width] = strip
        top += CAPTION_HEIGHT
        sheet[top : top + height, left : left + tile.shape[1]] = tile
    return sheet


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    """Return a picture resized to a height with the same aspect ratio."""
    if picture.shape[0] == height:
        return picture
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    method = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_NEAREST
    return cv2.resize(picture, (width, height), interpolation=method)


def _write(strip: np.ndarray, caption: str) -> None:
    """Draw a caption into a strip (CAPTION_HEIGHT, W, 3), in a smaller font if it is too long."""
    text = caption.encode('ascii', 'replace').decode()
    scale = 0.42
    (width, _), _ = cv2.getTextSize(text, FONT, scale, 1)
    scale = max(0.3, min(scale, scale * (strip.shape[1] - 2) / max(width, 1)))
    cv2.putText(strip, text, (1, CAPTION_HEIGHT - 6), FONT, scale, INK, 1, cv2.LINE_AA)

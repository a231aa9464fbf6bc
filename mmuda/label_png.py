"""Encoding of label maps as PNG files."""

import io
import zlib
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

# Label maps have long runs of equal values. For these, the options give less than half the default size of a file.
RUN_LENGTHS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
PILLOW_RUN_LENGTHS: dict[str, Any] = dict(compress_level=1, compress_type=zlib.Z_RLE)


def label_png(label: np.ndarray, palette: Sequence[Sequence[int]] | None = None) -> bytes:
    """Encode a label map as an 8-bit PNG whose pixel values are the train ids.

    Args:
        label: (H, W) of any integer type, with values in [0, 255].
        palette: RGB colours by train id; all other values are black. Without a palette, the PNG is grey.

    Returns:
        The content of the file: an indexed PNG with a palette, else a greyscale one.

    Raises:
        ValueError: If the label map is empty or does not have two dimensions.
    """
    if label.ndim != 2 or not label.size:
        raise ValueError(f'a label map must be (H, W) with pixels, but is {label.shape}')
    label = label.astype(np.uint8, copy=False)
    if palette is None:
        return cv2.imencode('.png', label, RUN_LENGTHS)[1].tobytes()
    # Always 256 colours: with 16 or fewer, Pillow would write only four bits of each value.
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[: len(palette)] = np.asarray(palette)
    image = Image.fromarray(label)
    image.putpalette(colours.tobytes())
    stream = io.BytesIO()
    image.save(stream, format='PNG', **PILLOW_RUN_LENGTHS)
    return stream.getvalue()

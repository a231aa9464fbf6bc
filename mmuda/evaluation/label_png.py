"""Predictions as pictures."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image


def label_png(label: np.ndarray, palette: Sequence[Sequence[int]] | None = None) -> bytes:
    """Encode a label map as an 8-bit PNG whose pixel values are the train ids.

    Args:
        label: (H, W) of any integer type, values in [0, 255].
        palette: RGB colour of each class; without one the PNG is grey.

    Returns:
        The content of the file: an indexed PNG with a palette, else a greyscale one.
    """
    image = Image.fromarray(label.astype(np.uint8))
    if palette is not None:
        image.putpalette(np.asarray(palette, dtype=np.uint8).tobytes())
    stream = io.BytesIO()
    image.save(stream, format='PNG')
    return stream.getvalue()

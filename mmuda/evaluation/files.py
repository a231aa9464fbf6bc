"""Results on disk: whole or not at all."""
import io
import os
from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np
from PIL import Image


def write_atomically(path: Union[str, Path], content: bytes) -> None:
    """Write a file so that a reader never meets half of it; missing folders are made.

    Args:
        path: Where to.
        content: All of it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def label_png(label: np.ndarray, palette: Optional[Sequence[Sequence[int]]] = None) -> bytes:
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

"""Loading of a random window of an image, without the rest of the file where the format allows it."""

from typing import Any

import numpy as np
from mmseg.registry import TRANSFORMS

from ..image_windows import WINDOW
from .class_crop import draw_window
from .draws import Draws, NumPyDraws
from .loading import LoadDomainImage


@TRANSFORMS.register_module()
class LoadDomainWindow(LoadDomainImage):
    """A transform that loads a random window of an image: ``LoadDomainImage`` and a random crop, for any image size.

    Of TIFF files (with tifffile) and ``.npy`` files, only the window is read; see
    :func:`~mmuda.datasets.image_windows.open_windows`. ``max_pixels`` does not limit these files. PNG, JPEG and all
    other files are decoded as a whole and cut, with the same result. ``LoadDomainAnnotations`` and ``LoadPseudoLabel``
    after this step load the same window of the label.

    Adds ``img`` (h, w, C), ``img_shape`` (h, w), ``ori_shape`` (H, W) of the file and ``window``, a
    :class:`~mmuda.datasets.image_windows.Window`. An image that is smaller than the window is not padded. A
    ``RandomClassCrop`` of a smaller size after this step looks for classes inside of the window.

    Args:
        size: (h, w) of the window in pixels.
        draws: Source of random numbers; NumPy's global generator by default. The row of the corner is drawn before the
            column.
        **kwargs: Further arguments of :class:`LoadDomainImage`.

    Raises:
        ValueError: If the size is not positive.
    """

    def __init__(self, size: tuple[int, int], draws: Draws | None = None, **kwargs: Any) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'size must be (height, width), both at least 1 pixel, but got {size!r}')
        super().__init__(**kwargs)
        self.size = size[0], size[1]
        self.draws: Draws = draws or NumPyDraws()

    def transform(self, results: dict) -> dict:
        """Load a window of ``results['img_path']``."""
        path = results['img_path']
        reader = self.open(path)
        if reader is None:
            image = self.read(path, results.get('max_pixels', self.max_pixels))
            height, width = image.shape[:2]
            window = draw_window((height, width), self.size, self.draws)
            cut = np.ascontiguousarray(window.of(image))
        else:
            height, width = reader.size
            window = draw_window((height, width), self.size, self.draws)
            cut = self.read_window(reader, window, path)
        results['img'], results[WINDOW] = cut, window
        results['img_shape'], results['ori_shape'] = cut.shape[:2], (height, width)
        return results

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, size={self.size})'

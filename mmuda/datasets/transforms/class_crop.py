"""A random crop that is not filled by one class, and that shows the class that the sampler has drawn, if any."""

from collections.abc import Iterator

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmuda.constants import IGNORE_INDEX

from ..image_windows import Window
from .checks import check_label
from .draws import Draws, NumPyDraws

WANTED_CLASS, WANTED_PIXELS = 'wanted_class', 'wanted_pixels'
"""Keys of a sample: the class that its crop should show, and the number of its pixels that the crop should exceed."""

CHECKS = 10
"""Number of windows that are checked. If none passes, the next window is taken without a check."""


def draw_window(shape: tuple[int, ...], size: tuple[int, int], draws: Draws) -> Window:
    """Draw a window of size (h, w) in an image of shape (H, W): first the row of its corner, then the column."""
    top, left = (draws.integer(0, max(length - side, 0) + 1) for length, side in zip(shape, size, strict=True))
    return Window(top, top + size[0], left, left + size[1])


def pixels_by_label(label: np.ndarray, window: Window) -> np.ndarray:
    """Return the number of pixels of each label, (256,), in a window of a label map (H, W) uint8; 0 for ignored."""
    counts = cv2.calcHist([window.of(label)], [0], None, [256], [0, 256]).ravel()
    counts[IGNORE_INDEX] = 0
    return counts


def is_mixed(counts: np.ndarray, cat_max_ratio: float) -> bool:
    """Return whether a window has at least two labels, and the largest has a share below ``cat_max_ratio``.

    Args:
        counts: (256,) number of pixels of each label, without ignored pixels.
        cat_max_ratio: Share of the labelled pixels at which a window is refused.
    """
    return bool(np.count_nonzero(counts) > 1 and counts.max() / counts.sum(dtype=np.float64) < cat_max_ratio)


def mixed_windows(label: np.ndarray, size: tuple[int, int], cat_max_ratio: float, draws: Draws) -> Iterator[Window]:
    """Yield the windows that are drawn. The last one is the crop: the first one that is mixed, or the eleventh.

    Args:
        label: (H, W) uint8.
        size: (h, w) of the windows.
        cat_max_ratio: See :func:`is_mixed`; 1 takes the first window.
        draws: Source of random numbers.
    """
    for _ in range(CHECKS if cat_max_ratio < 1 else 0):
        window = draw_window(label.shape, size, draws)
        yield window
        if is_mixed(pixels_by_label(label, window), cat_max_ratio):
            return
    yield draw_window(label.shape, size, draws)


@TRANSFORMS.register_module()
class RandomClassCrop(BaseTransform):
    """Random crop that is drawn again while one class dominates it, or while it shows too little of a wanted class.

    With ``cat_max_ratio`` below 1, a window is drawn again, up to ten times, until it has at least two classes and each
    has a smaller share of the labelled pixels (mmseg's rule, computed by a histogram instead of a sort). If the sampler
    has drawn a class that the crop should show (:class:`RareClassOrder` of DAFormer), the whole series is repeated up
    to ten times until its last window has enough pixels of this class. The last window of each series is not checked
    for ``cat_max_ratio``, and that of the last series not for the class.

    Needs ``img`` (H, W, C), and, for either rule, ``gt_seg_map`` (H, W) uint8 of the same size. Changes ``img``,
    the labels in ``seg_fields`` and ``img_shape`` (h, w). An image that is smaller than the window is not padded.

    Args:
        size: (h, w) of the window in pixels.
        cat_max_ratio: Share of the labelled pixels that a class must stay below: 0.75 for the source in DAFormer. 1
            allows one class to fill the window.
        draws: Source of random numbers; NumPy's global generator by default.

    Raises:
        ValueError: If a setting is out of range. For an image: if a label is needed and missing, or has another size.
        TypeError: For an image: if a label is not uint8.
    """

    seeks_wanted_class = True

    def __init__(self, size: tuple[int, int], cat_max_ratio: float = 1.0, draws: Draws | None = None) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'size must be (height, width), both at least 1 pixel, but got {size!r}')
        if not 0 < cat_max_ratio <= 1:
            raise ValueError(f'cat_max_ratio must be in (0, 1], but got {cat_max_ratio}')
        self.size, self.cat_max_ratio = (size[0], size[1]), cat_max_ratio
        self.draws: Draws = draws or NumPyDraws()

    def transform(self, results: dict) -> dict:
        """Crop ``results['img']`` and the labels."""
        for key in results.get('seg_fields', []):
            check_label(results, self, key)
        window = self._find(results)
        for key in ('img', *results.get('seg_fields', [])):
            results[key] = np.ascontiguousarray(window.of(results[key]))
        results['img_shape'] = results['img'].shape[:2]
        return results

    def _find(self, results: dict) -> Window:
        label, wanted = results.get('gt_seg_map'), results.get(WANTED_CLASS)
        if label is None:
            if self.cat_max_ratio < 1 or wanted is not None:
                raise ValueError(
                    f'RandomClassCrop looks for classes in the label of {results.get("img_path")}, which has none: '
                    'load labels before this step, or, in a pipeline of unlabelled images, leave cat_max_ratio out'
                )
            return draw_window(results['img'].shape[:2], self.size, self.draws)
        for _ in range(CHECKS + 1):
            *_, window = mixed_windows(label, self.size, self.cat_max_ratio, self.draws)
            if wanted is None or pixels_by_label(label, window)[wanted] > results[WANTED_PIXELS]:
                break
        return window

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, cat_max_ratio={self.cat_max_ratio})'

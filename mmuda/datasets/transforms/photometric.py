"""Colour jitter, grey images and blur: how FADA and SDCA change the colours of source images.

Pillow does the arithmetic, as in the originals. Images are BGR, as ``LoadDomainImage`` gives them, and are RGB only
within. Random numbers come from NumPy's global generator, which the domain data sets seed for every item.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image, ImageEnhance

from .checks import check_image

Strength = float | Sequence[float]

Adjustment = tuple[str, float]
"""One of brightness, contrast, saturation, with a factor (1: no change), or hue, with a part of the circle."""

_ENHANCERS = dict(brightness=ImageEnhance.Brightness, contrast=ImageEnhance.Contrast, saturation=ImageEnhance.Color)


def adjust(image: np.ndarray, adjustments: Sequence[Adjustment]) -> np.ndarray:
    """Change the colours of an image, one adjustment after the other.

    Brightness blends with black, contrast with the rounded mean of the grey image, saturation with the grey image,
    each extrapolated and clipped for factors above 1. Hue turns Pillow's 8-bit hue by ``int(255 * part)``.

    Args:
        image: (H, W, 3) uint8, BGR.
        adjustments: In their order.

    Returns:
        (H, W, 3) uint8, BGR; the image itself if there is no adjustment.

    Raises:
        KeyError: If an adjustment has another name.
    """
    if not adjustments:
        return image
    picture = _to_pillow(image)
    for name, amount in adjustments:
        picture = _turn_hue(picture, amount) if name == 'hue' else _ENHANCERS[name](picture).enhance(amount)
    return cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2BGR)


def grayscale(image: np.ndarray) -> np.ndarray:
    """Pillow's luma (ITU-R 601-2) in all three channels; (H, W, 3) uint8 BGR in, the same out."""
    return cv2.cvtColor(np.asarray(_to_pillow(image).convert('L')), cv2.COLOR_GRAY2BGR)


def gaussian_blur(image: np.ndarray, sigma: float, kernel: int = 3) -> np.ndarray:
    """Blur with a Gaussian that is sampled at whole pixels and normalised, mirrored at the border without the edge.

    Args:
        image: (H, W, 3) uint8, channels in any order.
        sigma: Of the Gaussian, in pixels, along both sides.
        kernel: Side of the kernel, odd.
    """
    distance = np.arange(kernel) - kernel // 2
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    # In float32: OpenCV's own 8-bit blur rounds twice.
    blurred = cv2.sepFilter2D(image, cv2.CV_32F, weights, weights, borderType=cv2.BORDER_REFLECT_101)
    return cv2.convertScaleAbs(blurred)


def _to_pillow(image: np.ndarray) -> Image.Image:
    return Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _turn_hue(picture: Image.Image, part: float) -> Image.Image:
    hue, saturation, value = picture.convert('HSV').split()
    turned = np.asarray(hue) + np.uint8(int(part * 255) % 256)  # wraps
    return Image.merge('HSV', (Image.fromarray(turned), saturation, value)).convert('RGB')


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Brightness, contrast, saturation and hue change at random, in random order: torchvision's transform of this name.

    Always applied. Needs and changes ``img`` (H, W, 3) uint8 in BGR order. FADA and SDCA: 0.5, 0.5, 0.5, 0.2.

    Args:
        brightness: b draws a factor from [max(0, 1 - b), 1 + b]; a pair is the range itself. 0: stays as it is.
        contrast: Alike.
        saturation: Alike.
        hue: h up to 0.5 draws a part of the colour circle from [-h, h]; a pair is the range itself.

    Raises:
        ValueError: If a strength or range is out of bounds.
        TypeError: When an image comes, if it is not uint8.
    """

    def __init__(
        self, brightness: Strength = 0, contrast: Strength = 0, saturation: Strength = 0, hue: Strength = 0
    ) -> None:
        around_1 = dict(brightness=brightness, contrast=contrast, saturation=saturation)
        self.ranges: dict[str, tuple[float, float] | None] = {
            name: _range(name, value, 1.0, (0.0, float('inf'))) for name, value in around_1.items()
        }
        self.ranges['hue'] = _range('hue', hue, 0.0, (-0.5, 0.5))

    def draw(self) -> tuple[Adjustment, ...]:
        """Random adjustments in random order."""
        names = list(self.ranges)
        order = np.random.permutation(len(names))
        amounts = {name: np.random.uniform(*limits) for name, limits in self.ranges.items() if limits is not None}
        return tuple((names[i], float(amounts[names[i]])) for i in order if names[i] in amounts)

    def transform(self, results: dict) -> dict:
        """Change ``results['img']``."""
        results['img'] = adjust(check_image(results, self), self.draw())
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}({", ".join(f"{name}={limits}" for name, limits in self.ranges.items())})'


def _range(name: str, value: Strength, centre: float, bounds: tuple[float, float]) -> tuple[float, float] | None:
    pair = tuple(value) if isinstance(value, Sequence) else None
    if (pair is None and not value >= 0) or (pair is not None and len(pair) != 2):  # type: ignore[operator]
        raise ValueError(f'{name} is a strength from 0 on, or a pair (lowest, highest), but got {value!r}')
    if pair is not None:
        low, high = pair
    else:
        low, high = centre - value, centre + value  # type: ignore[operator]
        low = max(low, bounds[0]) if centre else low
    if not bounds[0] <= low <= high <= bounds[1]:
        raise ValueError(f'{name}={value!r} gives the range ({low}, {high}), which must lie in {bounds}')
    return None if low == high == centre else (float(low), float(high))


@TRANSFORMS.register_module()
class RandomPillowGrayscale(BaseTransform):
    """The image becomes grey with a probability: torchvision's ``RandomGrayscale``.

    It has a name of its own as mmcv has that one, which takes the mean of the channels by default and always cuts off
    where Pillow rounds. Needs and changes ``img`` (H, W, 3) uint8 in BGR order; it keeps three channels. SDCA: 0.2.

    Args:
        prob: Probability.

    Raises:
        ValueError: If it is none.
        TypeError: When an image comes, if it is not uint8.
    """

    def __init__(self, prob: float = 0.1) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], but got {prob}')
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change ``results['img']``."""
        image = check_image(results, self)
        if np.random.random_sample() < self.prob:
            results['img'] = grayscale(image)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'


@TRANSFORMS.register_module()
class RandomGaussianBlur(BaseTransform):
    """A Gaussian blur of random strength: torchvision's ``GaussianBlur``. Always applied.

    Needs and changes ``img`` (H, W, 3) uint8. The defaults are those of sources in SDCA.

    Args:
        sigma: (lowest, highest) standard deviation in pixels, or the one.
        kernel: Side of the kernel in pixels, odd.

    Raises:
        ValueError: If the kernel is not odd, or sigma not positive.
        TypeError: When an image comes, if it is not uint8.
    """

    def __init__(self, sigma: Strength = (0.1, 2.0), kernel: int = 3) -> None:
        low, high = sigma if isinstance(sigma, Sequence) else (sigma, sigma)
        if not 0 < low <= high:
            raise ValueError(f'sigma must be (lowest, highest) with 0 < lowest <= highest, but got {sigma!r}')
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f'kernel must be a positive odd number of pixels, but got {kernel}')
        self.sigma, self.kernel = (float(low), float(high)), kernel

    def transform(self, results: dict) -> dict:
        """Change ``results['img']``."""
        results['img'] = gaussian_blur(check_image(results, self), float(np.random.uniform(*self.sigma)), self.kernel)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(sigma={self.sigma}, kernel={self.kernel})'

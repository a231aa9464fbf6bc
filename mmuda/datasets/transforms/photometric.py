"""Colour jitter, greyscale and blur, with which FADA and SDCA augment source images.

Pillow computes them, as in the original code. Images are BGR, as loaded by ``LoadDomainImage``, and RGB only inside of
the functions. Random numbers come from NumPy's global generator, which pairs and unions of domains seed for every item.
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
"""Brightness, contrast or saturation with a factor (1: no change), or hue with a part of the colour circle."""

_ENHANCERS = dict(brightness=ImageEnhance.Brightness, contrast=ImageEnhance.Contrast, saturation=ImageEnhance.Color)


def adjust(image: np.ndarray, adjustments: Sequence[Adjustment]) -> np.ndarray:
    """Change the colours of an image, one adjustment after the other.

    Brightness blends the image with black, contrast with the rounded mean of the grey image, saturation with the grey
    image. Factors above 1 extrapolate, and values are clipped. Hue rotates Pillow's 8-bit hue by ``int(255 * part)``.

    Args:
        image: (H, W, 3) uint8, BGR.
        adjustments: Adjustments in the order in which they are applied.

    Returns:
        (H, W, 3) uint8, BGR; the image itself if there is no adjustment.

    Raises:
        KeyError: If an adjustment has an unknown name.
    """
    if not adjustments:
        return image
    picture = _to_pillow(image)
    for name, amount in adjustments:
        picture = _turn_hue(picture, amount) if name == 'hue' else _ENHANCERS[name](picture).enhance(amount)
    return cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2BGR)


def grayscale(image: np.ndarray) -> np.ndarray:
    """Return an image (H, W, 3) uint8 BGR with Pillow's luma (ITU-R 601-2) in all three channels."""
    return cv2.cvtColor(np.asarray(_to_pillow(image).convert('L')), cv2.COLOR_GRAY2BGR)


def gaussian_blur(image: np.ndarray, sigma: float, kernel: int = 3) -> np.ndarray:
    """Blur an image with a Gaussian that is sampled at whole pixels and normalised.

    At the border the image is mirrored without repeating the last pixel.

    Args:
        image: (H, W, 3) uint8, channels in any order.
        sigma: Standard deviation of the Gaussian along both axes, in pixels.
        kernel: Side of the kernel in pixels, odd.

    Returns:
        (H, W, 3) uint8.
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
    """Random change of brightness, contrast, saturation and hue in random order, like torchvision's ``ColorJitter``.

    It is always applied. Needs and changes ``img`` (H, W, 3) uint8 in BGR order. FADA and SDCA use the strengths 0.5,
    0.5, 0.5 and 0.2.

    Args:
        brightness: Strength b: the factor is drawn from [max(0, 1 - b), 1 + b]. A pair is the range itself. 0 changes
            nothing.
        contrast: As ``brightness``.
        saturation: As ``brightness``.
        hue: Strength h up to 0.5: a part of the colour circle is drawn from [-h, h]. A pair is the range itself.

    Raises:
        ValueError: If a strength or range is out of bounds.
        TypeError: For an image: if it is not (H, W, 3) uint8.
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
        """Draw random adjustments in random order."""
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
        raise ValueError(f'{name} must be a strength >= 0, or a pair (lowest, highest), but got {value!r}')
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
    """Random conversion of an image to grey, like torchvision's ``RandomGrayscale``.

    The name ``RandomGrayscale`` belongs to a transform of mmcv, which differs: it takes the mean of the channels by
    default, and truncates where Pillow rounds. Needs and changes ``img`` (H, W, 3) uint8 in BGR order, which keeps
    three channels. SDCA uses a probability of 0.2.

    Args:
        prob: Probability of the conversion.

    Raises:
        ValueError: If ``prob`` is not in [0, 1].
        TypeError: For an image: if it is not (H, W, 3) uint8.
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
    """Gaussian blur of random strength, like torchvision's ``GaussianBlur``.

    It is always applied. Needs and changes ``img`` (H, W, 3) uint8. SDCA uses the defaults for the source.

    Args:
        sigma: (lowest, highest) standard deviation in pixels, or a single number.
        kernel: Side of the kernel in pixels, odd.

    Raises:
        ValueError: If ``kernel`` is not a positive odd number, or ``sigma`` is not positive.
        TypeError: For an image: if it is not (H, W, 3) uint8.
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

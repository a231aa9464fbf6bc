"""Random changes of brightness, contrast, saturation and hue, on the device."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .random_stream import uniform

GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in torchvision's conversion to grey."""


class JitterFactors(NamedTuple):
    """The random numbers of :func:`color_jitter` for N images, on the CPU.

    Attributes:
        brightness: (N,) factors around 1.
        contrast: (N,) factors around 1.
        hue: (N,) shifts around 0, in full circles.
        saturation: (N,) factors around 1.
        order: (N, 4) permutations of the operations 0 (brightness), 1 (contrast), 2 (saturation) and 3 (hue).
    """

    brightness: Tensor
    contrast: Tensor
    hue: Tensor
    saturation: Tensor
    order: Tensor


def draw_jitter(generator: torch.Generator, strength: float, count: int, one_order: bool = False) -> JitterFactors:
    """Return random numbers for the colour jitter of a batch.

    Brightness, contrast and saturation are uniform in 1 +- strength, hue is uniform in 0 +- strength. The numbers are
    drawn in kornia's order: brightness, contrast, hue, saturation, permutation. They are drawn image by image; with
    ``one_order`` they are drawn factor by factor for the whole batch, as kornia does.

    Args:
        generator: A generator of the CPU.
        strength: Half the width of the ranges, at most 0.5.
        count: Number of images N.
        one_order: Use one permutation for all images.
    """
    if not one_order:
        images = [draw_jitter(generator, strength, 1, one_order=True) for _ in range(count)]
        return JitterFactors(*(torch.cat(values) for values in zip(*images, strict=True)))
    brightness, contrast, hue, saturation = (
        uniform(generator, centre - strength, centre + strength, count) for centre in (1.0, 1.0, 0.0, 1.0)
    )
    order = torch.randperm(4, generator=generator).expand(count, 4)
    return JitterFactors(brightness, contrast, hue, saturation, order)


def color_jitter(images: Tensor, factors: JitterFactors, formulas: str = 'kornia') -> Tensor:
    """Return images with changed brightness, contrast, saturation and hue.

    Args:
        images: (N, 3, H, W) float32, RGB in [0, 1].
        factors: Random numbers from :func:`draw_jitter`.
        formulas: ``'kornia'``: the formulas of kornia 0.4.1 to 0.5.11, which DACS and its successors used. Brightness
            is added (``factor - 1``) and contrast is a factor, both followed by clamping to [0, 1]; saturation and hue
            change in HSV. ``'torchvision'``: brightness is a factor, contrast and saturation blend with grey, and hue
            changes in HSV.

    Returns:
        (N, 3, H, W) float32.

    Raises:
        ValueError: If ``formulas`` is unknown.
    """
    if formulas not in FORMULAS:
        raise ValueError(f'formulas={formulas!r}, expected one of {sorted(FORMULAS)}')
    # The numbers are on the CPU, so reading them is no sync with the device.
    values = zip(factors.brightness, factors.contrast, factors.saturation, factors.hue, strict=True)
    jittered = []
    for image, numbers, order in zip(images, values, factors.order.tolist(), strict=True):
        for operation in order:
            image = FORMULAS[formulas][operation](image, numbers[operation].item())
        jittered.append(image)
    return torch.stack(jittered)


def shift(image: Tensor, brightness: float) -> Tensor:
    """Add ``brightness - 1`` to an image (3, H, W) and clamp it to [0, 1]."""
    return (image + (brightness - 1)).clamp_(0, 1)


def scale(image: Tensor, factor: float) -> Tensor:
    """Multiply an image (3, H, W) by a factor and clamp it to [0, 1]."""
    return (image * factor).clamp_(0, 1)


def saturate(image: Tensor, saturation: float) -> Tensor:
    """Multiply the HSV saturation of an image (3, H, W) by a factor and clamp it to [0, 1].

    Value and hue do not change. As in kornia, saturation is ``(max - min) / (max + 1e-6)``.
    """
    value, lowest = image.amax(dim=0), image.amin(dim=0)
    spread = value - lowest
    chroma = (spread / (value + 1e-6) * saturation).clamp_(0, 1).mul_(value)
    # A channel is smaller than the largest channel by a share of the chroma, which depends on the hue only.
    below = (value - image).div_(spread.masked_fill_(spread == 0, 1))
    return value - below.mul_(chroma)


def turn_hue(image: Tensor, turn: float) -> Tensor:
    """Rotate the HSV hue of an image (3, H, W) by ``turn`` full circles.

    Value and saturation do not change. If several channels are the largest, the first one determines the hue. Grey has
    hue 0.
    """
    value, first = image.max(dim=0)
    spread = value - image.amin(dim=0)
    red, green, blue = (value - image).div_(torch.where(spread == 0, 1, spread))
    hue = torch.where(first == 0, blue - green, torch.where(first == 1, 2 + red - blue, 4 + green - red))
    hue = hue.add_(6 * turn)  # in sextants
    chroma = spread.div_(value + 1e-6).mul_(value)
    channels = []
    for offset in (5, 3, 1):
        place = (hue + offset).remainder_(6)
        channels.append(value - torch.minimum(place, 4 - place).clamp_(0, 1).mul_(chroma))
    return torch.stack(channels)


def blend_with_mean(image: Tensor, contrast: float) -> Tensor:
    """Blend an image (3, H, W) with the mean of its grey version, as torchvision does for contrast."""
    return torch.lerp(_grey(image).mean().expand_as(image), image, contrast).clamp_(0, 1)


def blend_with_grey(image: Tensor, saturation: float) -> Tensor:
    """Blend an image (3, H, W) with its grey version, as torchvision does for saturation."""
    return torch.lerp(_grey(image).expand_as(image), image, saturation).clamp_(0, 1)


def _grey(image: Tensor) -> Tensor:
    red, green, blue = image
    return GREY[0] * red + GREY[1] * green + GREY[2] * blue


FORMULAS: dict[str, tuple[Callable[[Tensor, float], Tensor], ...]] = {
    'kornia': (shift, scale, saturate, turn_hue),
    'torchvision': (scale, blend_with_mean, blend_with_grey, turn_hue),
}
"""Operations by their number in ``JitterFactors.order``."""

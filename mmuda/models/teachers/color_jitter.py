"""Random changes of brightness, contrast, saturation and hue, on the device."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .random_stream import uniform

GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in torchvision's grey."""


class JitterFactors(NamedTuple):
    """The random numbers of :func:`color_jitter`, on the CPU.

    Attributes:
        brightness: (N,), around 1.
        contrast: (N,), around 1.
        hue: (N,), in turns around 0.
        saturation: (N,), around 1.
        order: (N, 4) permutations of 0 brightness, 1 contrast, 2 saturation, 3 hue.
    """

    brightness: Tensor
    contrast: Tensor
    hue: Tensor
    saturation: Tensor
    order: Tensor


def draw_jitter(generator: torch.Generator, strength: float, count: int, one_order: bool = False) -> JitterFactors:
    """Draw brightness, contrast and saturation from 1 +- strength, hue from 0 +- strength, and permutations.

    One image's numbers are drawn in kornia's order: brightness, contrast, hue, saturation, permutation. A batch is
    drawn image by image, or with ``one_order`` factor by factor, as kornia draws a batch.

    Args:
        generator: A generator of the CPU.
        strength: Below 1, for hue below 0.5.
        count: Number N of images.
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
    """Return images with changed colours.

    Args:
        images: (N, 3, H, W) RGB in [0, 1].
        factors: See :func:`draw_jitter`.
        formulas: ``'kornia'``: those of kornia 0.4.1 to 0.5.11, with which DACS and its descendants were published:
            brightness is added (``factor - 1``) and contrast multiplied, both clamped to [0, 1]; saturation and hue
            change in HSV. ``'torchvision'``: brightness multiplies, contrast and saturation blend with grey.

    Raises:
        ValueError: For unknown formulas.
    """
    if formulas not in FORMULAS:
        raise ValueError(f'formulas {formulas!r}, expected one of {sorted(FORMULAS)}')
    # Numbers of the CPU, so that nothing waits for the device.
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
    """Multiply an image (3, H, W) and clamp it to [0, 1]."""
    return (image * factor).clamp_(0, 1)


def saturate(image: Tensor, saturation: float) -> Tensor:
    """Multiply the saturation in HSV of an image (3, H, W) and clamp it to [0, 1]; value and hue stay.

    As in kornia, saturation is ``(max - min) / (max + 1e-6)``.
    """
    value, lowest = image.amax(dim=0), image.amin(dim=0)
    spread = value - lowest
    chroma = (spread / (value + 1e-6) * saturation).clamp_(0, 1).mul_(value)
    # Each channel lies below the largest by a share of the chroma that only depends on the hue.
    below = (value - image).div_(spread.masked_fill_(spread == 0, 1))
    return value - below.mul_(chroma)


def turn_hue(image: Tensor, turn: float) -> Tensor:
    """Turn the hue in HSV of an image (3, H, W) by ``turn`` full circles; value and saturation stay.

    Of equal largest channels the first counts; grey has hue 0.
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
    """Move an image (3, H, W) away from the mean of its grey version, as torchvision changes contrast."""
    return torch.lerp(_grey(image).mean().expand_as(image), image, contrast).clamp_(0, 1)


def blend_with_grey(image: Tensor, saturation: float) -> Tensor:
    """Move an image (3, H, W) away from its grey version, as torchvision changes saturation."""
    return torch.lerp(_grey(image).expand_as(image), image, saturation).clamp_(0, 1)


def _grey(image: Tensor) -> Tensor:
    red, green, blue = image
    return GREY[0] * red + GREY[1] * green + GREY[2] * blue


FORMULAS: dict[str, tuple[Callable[[Tensor, float], Tensor], ...]] = {
    'kornia': (shift, scale, saturate, turn_hue),
    'torchvision': (scale, blend_with_mean, blend_with_grey, turn_hue),
}
"""Operations by their number in ``JitterFactors.order``."""

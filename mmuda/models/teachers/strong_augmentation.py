"""Strong augmentation of normalised images, on the device: colour jitter, then blur."""

from typing import NamedTuple

import torch
from torch import Tensor

from .color_jitter import FORMULAS, JitterFactors, color_jitter, draw_jitter
from .gaussian_blur import gaussian_blur
from .random_stream import uniform

LEVELS = 255
"""Largest grey value."""


class AugmentationDraws(NamedTuple):
    """The random numbers of one augmented batch, on the CPU.

    Attributes:
        jitter: Numbers of the colour jitter; None for no jitter.
        sigma: (N,) standard deviations of the blur in pixels; None for no blur.
    """

    jitter: JitterFactors | None
    sigma: Tensor | None


class StrongAugmentation:
    """The augmentation of mixed images in DACS (Tranheden et al., WACV 2021, section 4) and its successors.

    One random decision for the whole batch says whether its colours are jittered, another one whether it is blurred.
    The strengths are drawn for each image.

    Args:
        strength: See :func:`draw_jitter`: 0.25 in DACS, 0.2 in DAFormer, HRDA and MIC.
        jitter_probability: Share of batches whose colours are jittered.
        blur_probability: Share of batches that are blurred.
        sigma: Range of the standard deviation of the blur in pixels.
        formulas: See :func:`color_jitter`.
        channels: ``'as_rgb'``: treat the channels of the network's input as red, green and blue in this order. The
            released DACS does so with BGR images: hues then rotate in the other direction, with the same distribution.
            ``'bgr'``: the input is BGR and is jittered as such.
        shared: Use one order of the operations and one blur for the whole batch, as for the masked images of MIC.

    Raises:
        ValueError: If an option is unknown, or ``strength`` or ``sigma`` is out of range.
    """

    def __init__(
        self,
        strength: float = 0.25,
        jitter_probability: float = 0.8,
        blur_probability: float = 0.5,
        sigma: tuple[float, float] = (0.15, 1.15),
        formulas: str = 'kornia',
        channels: str = 'as_rgb',
        shared: bool = False,
    ) -> None:
        if formulas not in FORMULAS or channels not in ('as_rgb', 'bgr'):
            raise ValueError(
                f'StrongAugmentation: formulas={formulas!r} and channels={channels!r}, expected one of '
                f"{sorted(FORMULAS)} and of ['as_rgb', 'bgr']"
            )
        if not 0 <= strength <= 0.5 or not 0 < sigma[0] <= sigma[1]:
            raise ValueError(
                f'StrongAugmentation: strength={strength} and sigma={sigma}, expected a number in [0, 0.5] and a range '
                'of positive numbers'
            )
        self.strength, self.sigma, self.formulas = strength, sigma, formulas
        self.jitter_probability, self.blur_probability = jitter_probability, blur_probability
        self.flips_channels, self.shared = channels == 'bgr', shared

    def draw(self, generator: torch.Generator, count: int) -> AugmentationDraws:
        """Return the random numbers for a batch.

        Args:
            generator: A generator of the CPU.
            count: Number of images N.
        """
        jitters, blurs = self.gates(*torch.rand(2, generator=generator, dtype=torch.float64).tolist())
        jitter = draw_jitter(generator, self.strength, count, one_order=self.shared) if jitters else None
        sigma = uniform(generator, *self.sigma, 1 if self.shared else count).expand(count) if blurs else None
        return AugmentationDraws(jitter, sigma)

    def gates(self, for_jitter: float, for_blur: float) -> tuple[bool, bool]:
        """Return whether a batch is jittered and blurred, from two uniform numbers in [0, 1)."""
        return 1 - for_jitter < self.jitter_probability, 1 - for_blur < self.blur_probability

    @torch.no_grad()
    def __call__(self, images: Tensor, draws: AugmentationDraws, mean: Tensor, std: Tensor) -> Tensor:
        """Return the augmented images, (N, 3, H, W) float32, normalised.

        Args:
            images: (N, 3, H, W) float32, normalised.
            draws: Random numbers from :meth:`draw`.
            mean: (3, 1, 1), the mean that the preprocessor subtracted, in grey values of 0 to 255.
            std: (3, 1, 1), the standard deviation by which the preprocessor divided.
        """
        if draws.jitter is not None:
            colors = images.mul(std).add_(mean).div_(LEVELS)
            colors = colors.flip(1) if self.flips_channels else colors
            colors = color_jitter(colors, draws.jitter, self.formulas)
            colors = colors.flip(1) if self.flips_channels else colors
            images = colors.mul_(LEVELS).sub_(mean).div_(std)
        return images if draws.sigma is None else gaussian_blur(images, draws.sigma)

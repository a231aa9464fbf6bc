"""Masked images of MIC, in which blocks are hidden."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmuda.models import PseudoLabels, RandomStream, StrongAugmentation, block_mask, draw_blocks, to_device
from mmuda.models.adaptors import WeightedImages
from mmuda.models.labels import labels_of
from mmuda.models.teachers import AugmentationDraws

IMAGES = ('target', 'source', 'both')


class MaskDraws(NamedTuple):
    """The random numbers of one masked batch, on the CPU.

    Attributes:
        augmentation: See :class:`StrongAugmentation`. With None the images are not augmented.
        blocks: (N, 1, h, w), see :func:`draw_blocks`.
    """

    augmentation: AugmentationDraws | None
    blocks: Tensor


class Masking(nn.Module):
    r"""Hide random blocks of images (Hoyer et al., "MIC", CVPR 2023, eqs. 4 to 6).

    .. math:: x^M = M \odot x, \quad M = [v > r] \text{ for each block}, \quad v \sim U(0, 1)

    Hidden pixels are 0 in the normalised image, which is the mean colour. The images are jittered and blurred before
    they are masked.

    Args:
        images: Images that are masked: ``'target'`` with their pseudo labels, ``'source'`` with their labels, or
            ``'both'``, the first half of the source images and of the target images. The paper has ``'target'`` from
            synthetic images to Cityscapes, and ``'both'`` without augmentation from Cityscapes to ACDC and Dark Zurich.
        block: Side of a block in pixels. The paper has 64 for crops of 1024x1024, and 32 for crops of 512x512.
        ratio: Share r of hidden blocks.
        augment: Whether images are jittered and blurred before they are masked.
        augmentation: Arguments of :class:`StrongAugmentation` that differ from MIC's (``strength=0.2, shared=True``).

    Raises:
        ValueError: If a setting is unknown or out of range.
    """

    def __init__(
        self,
        images: str = 'target',
        block: int = 64,
        ratio: float = 0.7,
        augment: bool = True,
        augmentation: dict | None = None,
    ) -> None:
        super().__init__()
        if images not in IMAGES:
            raise ValueError(f'masked.images={images!r}, expected one of {IMAGES}')
        if block < 1 or not 0 <= ratio <= 1:
            raise ValueError(f'masked.block={block} and masked.ratio={ratio}, expected pixels and a share in [0, 1]')
        self.images, self.block, self.ratio = images, block, ratio
        self.augmentation = (
            StrongAugmentation(**{'strength': 0.2, 'shared': True, **(augmentation or {})}) if augment else None
        )
        self.random = RandomStream('masked images')

    def forward(self, source: dict, target: dict, pseudo: PseudoLabels, mean: Tensor, std: Tensor) -> WeightedImages:
        """Return masked images with their labels and weights.

        Args:
            source: Batch of the source: ``inputs`` (N, 3, H, W), normalised, and labelled ``data_samples``.
            target: Batch of the target: ``inputs`` (M, 3, H, W), normalised.
            pseudo: Labels of the target images and their weights.
            mean: (3, 1, 1), the mean that the preprocessor subtracts from grey values.
            std: (3, 1, 1), the standard deviation by which the preprocessor divides.

        Raises:
            ValueError: With ``images='both'``, if a domain has a single image, or the images of the domains differ in
                size.
        """
        chosen = self.choose(source, target, pseudo)
        draws = self.draw(len(chosen.inputs), chosen.inputs.shape[-2:])
        images = chosen.inputs
        if self.augmentation is not None and draws.augmentation is not None:
            images = self.augmentation(images, draws.augmentation, mean, std)
        blocks = to_device(draws.blocks, images.device)
        return chosen._replace(inputs=images * block_mask(blocks, (images.shape[-2], images.shape[-1]), self.ratio))

    def draw(self, count: int, size: torch.Size) -> MaskDraws:
        """Draw the numbers for a batch of ``count`` images of a size (H, W)."""
        generator = self.random.advance()
        augmentation = None if self.augmentation is None else self.augmentation.draw(generator, count)
        return MaskDraws(augmentation, draw_blocks(generator, count, (size[0], size[1]), self.block))

    def choose(self, source: dict, target: dict, pseudo: PseudoLabels) -> WeightedImages:
        """Return the images to mask, with their labels and weights."""
        of_target = WeightedImages(target['inputs'], pseudo.labels, pseudo.weight)
        if self.images == 'target':
            return of_target
        labels = labels_of(source)
        of_source = WeightedImages(source['inputs'], labels, torch.ones(labels.shape, device=labels.device))
        if self.images == 'source':
            return of_source
        halves = [[part[: len(part) // 2] for part in images] for images in (of_source, of_target)]
        sizes = [tuple(images.inputs.shape) for images in (of_source, of_target)]
        if sizes[0][2:] != sizes[1][2:] or not all(len(half[0]) for half in halves):
            raise ValueError(
                f"masked.images='both' takes the first half of each domain, but batches are {sizes[0]} and {sizes[1]} "
                '(N, 3, H, W): use a batch size of at least 2 and crops of one size, or mask the images of one domain'
            )
        return WeightedImages(*(torch.cat(parts) for parts in zip(*halves, strict=True)))

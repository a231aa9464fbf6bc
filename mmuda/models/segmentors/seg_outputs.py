"""Outputs of a segmentor for an adaptor: logits of every head, and features of every stage of the backbone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class SegOutputs:
    """Low-resolution outputs of one forward pass.

    Attributes:
        logits: Logits by level, each (N, C, h, w), ``main`` last. The decode head is ``main``; one auxiliary head is
            ``aux``, several are ``aux_0``, ``aux_1``, ...
        features: Outputs of the backbone (after the neck) by stage, each (N, K, h, w).
        size: Height and width (H, W) of the input images.
        align_corners: Corner convention of the bilinear upsampling (True in papers that use DeepLabV2).
        head_outputs: Outputs of heads with their own kind of loss by level, see :func:`own_loss_levels`. Empty except
            in passes of the mode ``supervised``.
    """

    logits: dict[str, Tensor]
    features: tuple[Tensor, ...]
    size: tuple[int, int]
    align_corners: bool
    head_outputs: dict[str, Any] = field(default_factory=dict, kw_only=True)

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, ``main`` last."""
        return tuple(self.logits)

    def upsample(self, level: str) -> Tensor:
        """Return the logits of one level at the size of the images, (N, C, H, W) float32.

        Each call computes them again, because maps of this size are too large to be kept. They are float32 because the
        epsilon in the papers' entropies, 1e-30, underflows in half precision.
        """
        return F.interpolate(
            self.logits[level].float(), size=self.size_of(level), mode='bilinear', align_corners=self.align_corners
        )

    def size_of(self, level: str) -> tuple[int, int]:
        """Return the size (H, W), in pixels, of the region that a level predicts: the images, see :meth:`region`."""
        return self.size

    def region(self, level: str, maps: Tensor) -> Tensor:
        """Return the region of maps (N, H, W), such as labels, that a level predicts; here the whole maps.

        Subclasses with a level that predicts only a crop of the images (HRDA's detail crop) override this method and
        :meth:`size_of`.
        """
        return maps

    def logits_at(self, level: str, size: Sequence[int]) -> Tensor:
        """Return the logits of a level at the size of label maps, (N, C, h, w) float32.

        They are upsampled if the labels have the size of the images, but not if the labels were sampled at the stride
        of the network.

        Args:
            level: Name of the level.
            size: Height h and width w of the label maps.

        Raises:
            ValueError: If ``size`` is neither that of the logits nor that of the images.
        """
        own = tuple(self.logits[level].shape[-2:])
        if tuple(size) == own:
            return self.logits[level].float()
        if tuple(size) == self.size_of(level):
            return self.upsample(level)
        raise ValueError(
            f'label maps are {tuple(size)}, but the {level} logits are {own} and the images {self.size_of(level)} (H, '
            'W): label maps need the size of the images, or must be sampled at the stride of the network'
        )

    def labelled(self, level: str, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of a level at the size of label maps, and the region of the maps that it predicts.

        Args:
            level: Name of the level.
            labels: (N, H, W), at the size of the images or of the logits, see :meth:`logits_at`.

        Returns:
            Logits (N, C, h, w) float32, and labels (N, h, w).
        """
        seen = self.region(level, labels)
        return self.logits_at(level, seen.shape[-2:]), seen

    def detach(self, features: bool = True) -> 'SegOutputs':
        """Return the same outputs, detached from the graph and without :attr:`head_outputs`.

        Args:
            features: Set False to drop the features if only logits are needed later. Features are by far the largest
                part: 270 MB for one 1280x720 image and a ResNet-101.
        """
        return replace(
            self,
            logits={level: logits.detach() for level, logits in self.logits.items()},
            features=tuple(feature.detach() for feature in self.features) if features else (),
            head_outputs={},
        )

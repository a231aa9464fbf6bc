"""Outputs of a segmentor for an adaptor: logits of every head and features of every stage."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class SegOutputs:
    """Low-resolution outputs of one forward pass, auxiliary levels first and ``main`` last.

    Attributes:
        logits: Logits by level, each (N, C, h, w). The decode head is ``main``; one auxiliary head is ``aux``, several
            are ``aux_0``, ``aux_1``, ...
        features: Outputs of the backbone (after the neck) by stage, each (N, K, h, w).
        size: (H, W) of the images they come from.
        align_corners: Corner convention of the bilinear upsampling (papers of the DeepLabV2 line: True).
        head_outputs: What heads with a loss of their own return, by level (:func:`own_loss_levels`). Only passes that
            are to be supervised have it.
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
        """Return the logits of one level at image size, (N, C, H, W), always float32.

        Maps at image size are large, so they are made where they are used and not kept. Float32 because entropies of
        a half-precision softmax lose the epsilon of the papers (1e-30 underflows).
        """
        return F.interpolate(
            self.logits[level].float(), size=self.size_of(level), mode='bilinear', align_corners=self.align_corners
        )

    def size_of(self, level: str) -> tuple[int, int]:
        """Return the size (H, W) in pixels of what a level predicts: that of the images, see :meth:`region`."""
        return self.size

    def region(self, level: str, maps: Tensor) -> Tensor:
        """Return the part of maps (N, H, W), such as labels, whose pixels a level predicts: all of it.

        Outputs with a level that sees only a crop of the images (HRDA's detail crop) override this and :meth:`size_of`.
        """
        return maps

    def logits_at(self, level: str, size: Sequence[int]) -> Tensor:
        """Return the logits of a level at the size (h, w) of label maps, (N, C, h, w) float32.

        Labels have the size of the images, or were sampled at the stride of the network; then logits are not upsampled.

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
            'W): label maps must have the size of the images, or be sampled at the stride of the network'
        )

    def labelled(self, level: str, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of a level at the size of label maps, and the part of the maps that it predicts.

        Args:
            level: Name of the level.
            labels: (N, H, W), see :meth:`logits_at`.
        """
        seen = self.region(level, labels)
        return self.logits_at(level, seen.shape[-2:]), seen

    def detach(self, features: bool = True) -> 'SegOutputs':
        """Return the same values without the graph that made them; :attr:`head_outputs` are left out.

        Args:
            features: False drops the features, which are by far the largest part (270 MB for one 1280x720 image and a
                ResNet-101), when only logits are needed later.
        """
        return replace(
            self,
            logits={level: logits.detach() for level, logits in self.logits.items()},
            features=tuple(feature.detach() for feature in self.features) if features else (),
            head_outputs={},
        )

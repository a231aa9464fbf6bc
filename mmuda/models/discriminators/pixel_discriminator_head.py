"""The fine-grained domain discriminator of FADA."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class PixelDiscriminatorHead(BaseModule):
    """A discriminator of the class and the domain of each pixel of a feature map (Wang et al., ECCV 2020, section 3.2).

    3x3 convolutions of stride 1, each followed by LeakyReLU(0.2), then one 3x3 convolution for the classes of the
    source and one for those of the target. There is no normalisation. Weights start from PyTorch's default
    initialisation.

    Args:
        in_channels: Channels A of the features.
        num_classes: Number of classes C.
        channels: Channels of the hidden convolutions.
        init_cfg: As in mmengine.
    """

    def __init__(
        self, in_channels: int, num_classes: int, channels: Sequence[int] = (256, 128), init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels, self.num_classes = in_channels, num_classes
        widths = [in_channels, *channels]
        self.convs = nn.ModuleList(nn.Conv2d(c_in, c_out, 3, padding=1) for c_in, c_out in pairwise(widths))
        self.source_head = nn.Conv2d(widths[-1], num_classes, 3, padding=1)
        self.target_head = nn.Conv2d(widths[-1], num_classes, 3, padding=1)
        self.act = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, 2C, h, w): the classes of the source, then those of the target.

        Args:
            x: Features, (N, A, h, w).
        """
        for conv in self.convs:
            x = self.act(conv(x))
        return torch.cat([self.source_head(x), self.target_head(x)], dim=1)

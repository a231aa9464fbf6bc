"""The stand-in backbone of the stored values of DAFormer."""

import itertools
from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class TinyS(BaseModule):
    """A backbone of four 3x3 convolutions of stride 2 with bias and ReLU, which returns all four outputs.

    Args:
        channels: Channels of the images and of each output.
    """

    def __init__(self, channels: Sequence[int], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        for i, (before, after) in enumerate(itertools.pairwise(channels), 1):
            setattr(self, f'conv{i}', nn.Conv2d(before, after, 3, stride=2, padding=1))
        self.depth = len(channels) - 1

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outs = []
        for i in range(self.depth):
            x = getattr(self, f'conv{i + 1}')(x).relu()
            outs.append(x)
        return tuple(outs)


def tiny_s_channels(state: dict) -> list[int]:
    """Return the channels of the images and of each output of the backbone of a stored segmentor."""
    weights = [state[f'backbone.conv{i}.weight'] for i in range(1, 5)]
    return [weights[0].shape[1], *map(len, weights)]

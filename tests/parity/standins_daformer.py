"""The stand-in backbone of DAFormer's stored values."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class TinyS(BaseModule):
    """Four 3x3 convolutions of stride 2 with bias and ReLU; all four outputs are features.

    Args:
        channels: Of each.
    """

    def __init__(self, channels: Sequence[int], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        for i, (before, after) in enumerate(zip((3, *channels), channels, strict=False), 1):
            setattr(self, f'conv{i}', nn.Conv2d(before, after, 3, stride=2, padding=1))
        self.depth = len(channels)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outs = []
        for i in range(self.depth):
            x = getattr(self, f'conv{i + 1}')(x).relu()
            outs.append(x)
        return tuple(outs)

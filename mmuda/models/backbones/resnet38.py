"""ResNet-38 (model A1), the backbone that CBST was published with."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..batch_norm import freeze_batch_norm_statistics

NORM = dict(type='BN', eps=1.001e-5)


class Level(NamedTuple):
    """Blocks of one resolution.

    Attributes:
        blocks: How many.
        widths: Channels of the convolutions of a block, in units of those of the stem.
        stride: Of the first block.
        first: Dilation of each convolution of the first block.
        others: Dilation of each convolution of the other blocks.
        dropout: Probability with which inputs of the last convolution are dropped.
    """

    blocks: int
    widths: tuple[int, ...]
    stride: int
    first: tuple[int, ...]
    others: tuple[int, ...] = ()
    dropout: float = 0.0


LEVELS = {
    2: Level(3, (2, 2), 2, (1, 1), (1, 1)),
    3: Level(3, (4, 4), 2, (1, 1), (1, 1)),
    4: Level(6, (8, 8), 2, (1, 1), (1, 1)),
    5: Level(3, (8, 16), 1, (1, 2), (2, 2)),  # a stride that became dilation, from the second convolution on
    6: Level(1, (8, 16, 32), 1, (1, 4, 1), dropout=0.3),
    7: Level(1, (16, 32, 64), 1, (1, 4, 1), dropout=0.5),
}
"""Model A1 at output stride 8. Two convolutions are 3x3 each, three are 1x1, 3x3, 1x1."""


class PreActivationBlock(BaseModule):
    """Norm, ReLU and convolution, two or three times, beside a shortcut (He et al., "Identity mappings", ECCV 2016).

    ``a = relu(bn1(x))``, then ``out = convs(a) + shortcut(a)`` where resolution or channels change, the 1x1 convolution
    reading the *activated* input, and ``out = convs(a) + x`` elsewhere. Nothing follows the addition.

    Args:
        in_channels: Channels of the input.
        widths: Channels of each convolution.
        kernels: Side of each kernel.
        dilations: Dilation of each convolution.
        stride: Of the first convolution and of the shortcut.
        projection: Whether the shortcut is a convolution.
        dropout: Probability of dropout before the last convolution.
        norm_cfg: Norm layers.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        kernels: Sequence[int],
        dilations: Sequence[int],
        stride: int = 1,
        projection: bool = False,
        dropout: float = 0.0,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        norm_cfg = norm_cfg or NORM
        self.num_convs = len(widths)
        channels = in_channels
        for i, (width, kernel, dilation) in enumerate(zip(widths, kernels, dilations, strict=True), 1):
            padding = (kernel - 1) * dilation // 2
            self.add_module(f'bn{i}', build_norm_layer(norm_cfg, channels)[1])
            self.add_module(
                f'conv{i}',
                nn.Conv2d(
                    channels,
                    width,
                    kernel,
                    stride=stride if i == 1 else 1,
                    padding=padding,
                    dilation=dilation,
                    bias=False,
                ),
            )
            channels = width
        self.shortcut = nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False) if projection else None
        self.dropout = nn.Dropout(dropout) if dropout else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, widths[-1], H / stride, W / stride) of a map (N, in_channels, H, W), sizes rounded up."""
        out = self.bn1(x).relu_()
        identity = x if self.shortcut is None else self.shortcut(out)
        for i in range(1, self.num_convs + 1):
            if i > 1:
                out = getattr(self, f'bn{i}')(out).relu_()
            if i == self.num_convs and self.dropout is not None:
                out = self.dropout(out)
            out = getattr(self, f'conv{i}')(out)
        return out + identity


@MODELS.register_module()
class ResNet38(BaseModule):
    """ResNet-38, model A1, at output stride 8 (Wu, Shen and van den Hengel, "Wider or deeper", 2016, arXiv:1611.10080).

    A 3x3 stem without norm, six levels of pre-activation blocks (3, 3, 6, 3, 1, 1 of them, the last two bottlenecks),
    norm and ReLU. Strides are in levels 2, 3 and 4; no pooling. Dropout of 0.3 and 0.5 before the last convolutions of
    levels 6 and 7. Sizes are rounded up: 504x504 gives 63x63.

    Running statistics of batch-norm are kept, in training too (``norm_eval``), as in every segmentation training of
    the original; scale and shift are trained. Weights start from N(0, 2 / fan_in) unless ``init_cfg`` says where they
    are.

    Args:
        base_channels: Channels of the stem, 64 in the paper; the output has 64 times as many.
        norm_cfg: Norm layers; epsilon is 1.001e-5 in the original.
        norm_eval: Keep the running statistics and normalise with them.
        with_cp: Compute activations again in the backward pass instead of keeping them; 504x504 images then take half
            the memory. The original does so.
        init_cfg: As in mmengine; ``dict(type='DeepLabPretrained', checkpoint=FILE)`` for a converted ``.params`` file.
    """

    def __init__(
        self,
        base_channels: int = 64,
        norm_cfg: dict | None = None,
        norm_eval: bool = True,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = dict(type='Kaiming', layer='Conv2d', mode='fan_in', distribution='normal')
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or NORM
        self.norm_eval, self.with_cp = norm_eval, with_cp
        self.conv1a = nn.Conv2d(3, base_channels, 3, padding=1, bias=False)
        channels = base_channels
        for number, level in LEVELS.items():
            blocks = []
            widths = [base_channels * width for width in level.widths]
            for i in range(level.blocks):
                blocks.append(
                    PreActivationBlock(
                        channels,
                        widths,
                        (3, 3) if len(widths) == 2 else (1, 3, 1),
                        level.others if i else level.first,
                        stride=1 if i else level.stride,
                        projection=i == 0,
                        dropout=level.dropout,
                        norm_cfg=norm_cfg,
                    )
                )
                channels = widths[-1]
            self.add_module(f'level{number}', nn.ModuleList(blocks))
        self.bn7 = build_norm_layer(norm_cfg, channels)[1]

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """One feature map (N, 64 base_channels, H / 8, W / 8) of images (N, 3, H, W), not negative."""
        x = self.conv1a(x)
        for number in LEVELS:
            for block in getattr(self, f'level{number}'):
                again = self.with_cp and x.requires_grad and torch.is_grad_enabled()
                x = checkpoint(block, x, use_reentrant=False) if again else block(x)
        return (self.bn7(x).relu_(),)

    def train(self, mode: bool = True) -> 'ResNet38':
        """As usual, but with ``norm_eval`` running statistics stay as they are."""
        super().train(mode)
        if self.norm_eval:
            freeze_batch_norm_statistics(self)
        return self

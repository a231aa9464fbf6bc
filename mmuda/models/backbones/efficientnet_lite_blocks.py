"""Blocks of EfficientNet-Lite: their sizes by variant, and their layers."""

from collections import OrderedDict
from math import ceil
from typing import NamedTuple

from mmcv.cnn import build_norm_layer
from mmcv.cnn.bricks import Conv2dAdaptivePadding, DropPath
from mmseg.models.utils import make_divisible
from torch import Tensor, nn

NORM = dict(eps=1e-3, momentum=0.01)
"""Of batch-norm in the original, whose momentum of 0.99 is the share that is kept."""

STEM = 32
"""Channels of the first convolution, in every variant."""


class Row(NamedTuple):
    """Equal blocks, before scaling.

    Attributes:
        blocks: How many.
        kernel: Side of the depthwise kernels.
        expand: Hidden channels of a block, as a multiple of those of its input.
        channels: Of the output.
    """

    blocks: int
    kernel: int
    expand: int
    channels: int


STAGES = (
    (Row(1, 3, 1, 16),),
    (Row(2, 3, 6, 24),),
    (Row(2, 5, 6, 40),),
    (Row(3, 3, 6, 80), Row(3, 5, 6, 112)),
    (Row(4, 5, 6, 192), Row(1, 3, 6, 320)),
)
"""Rows by resolution. The first block of every stage but the first has stride 2."""

VARIANTS = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Multiples of width and depth."""


class BlockShape(NamedTuple):
    """Settings of one block.

    Attributes:
        in_channels: Channels of the input.
        channels: Channels of the output.
        kernel: Side of the depthwise kernel.
        expand: Hidden channels, as a multiple of ``in_channels``; 1 leaves the first convolution out.
        stride: Of the depthwise convolution.
        dilation: Of the depthwise convolution.
    """

    in_channels: int
    channels: int
    kernel: int
    expand: int
    stride: int
    dilation: int


class InvertedResidual(nn.Module):
    """A 1x1 convolution that expands, a depthwise one, and a 1x1 convolution that projects, without activation.

    The input is added where it has the size and the channels of the output.

    Args:
        shape: Channels, kernel, stride and dilation.
        norm_cfg: Norm layers.
        drop_path: Probability with which training drops the convolutions of an image and keeps its input.
    """

    def __init__(self, shape: BlockShape, norm_cfg: dict, drop_path: float = 0.0) -> None:
        super().__init__()
        hidden = shape.in_channels * shape.expand
        self.expand = nn.Identity() if shape.expand == 1 else convolution(shape.in_channels, hidden, norm_cfg)
        self.depthwise = convolution(
            hidden, hidden, norm_cfg, shape.kernel, shape.stride, shape.dilation, groups=hidden
        )
        self.project = convolution(hidden, shape.channels, norm_cfg, activation=False)
        self.adds_input = shape.stride == 1 and shape.in_channels == shape.channels
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, H / stride, W / stride) of a map (N, in_channels, H, W), sizes rounded up."""
        out = self.project(self.depthwise(self.expand(x)))
        return x + self.drop_path(out) if self.adds_input else out


def norm_config(norm_cfg: dict) -> dict:
    """Return the config of the norm layers, with the values of the original where batch-norm has none."""
    return {**NORM, **norm_cfg} if 'BN' in str(norm_cfg['type']) else norm_cfg


def block_shapes(variant: int, output_stride: int) -> list[list[BlockShape]]:
    """Return the blocks of every stage."""
    width, depth = VARIANTS[variant]
    channels, reached, dilation = STEM, 2, 1
    stages: list[list[BlockShape]] = []
    for rows in STAGES:
        stage: list[BlockShape] = []
        halves, next_dilation = bool(stages), dilation
        if halves and reached == output_stride:
            halves, next_dilation = False, 2 * dilation
        reached *= 2 if halves else 1
        for row in rows:
            scales = row not in (STAGES[0][0], STAGES[-1][-1])
            for _ in range(ceil(row.blocks * depth) if scales else row.blocks):
                out = make_divisible(row.channels * width, 8)
                stride = 2 if halves and not stage else 1
                stage.append(BlockShape(channels, out, row.kernel, row.expand, stride, dilation))
                channels, dilation = out, next_dilation
        stages.append(stage)
    return stages


def convolution(
    in_channels: int,
    channels: int,
    norm_cfg: dict,
    kernel: int = 1,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: bool = True,
) -> nn.Sequential:
    """Convolution, norm and ReLU6.

    mmcv's ConvModule would start depthwise kernels from the fan-out of all channels, far below ``eps`` of the norm.
    """
    # Odd kernels of stride 1 need the same padding on both sides; padding in the convolution saves a copy of the map.
    kind, padding = (nn.Conv2d, (kernel - 1) // 2 * dilation) if stride == 1 else (Conv2dAdaptivePadding, 0)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers['conv'] = kind(
        in_channels, channels, kernel, stride, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    layers['bn'] = build_norm_layer(norm_cfg, channels)[1]
    if activation:
        layers['act'] = nn.ReLU6(inplace=True)
    return nn.Sequential(layers)

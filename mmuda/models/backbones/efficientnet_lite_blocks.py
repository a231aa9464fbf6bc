"""Blocks of EfficientNet-Lite: their sizes by variant, and their layers."""

from collections import OrderedDict
from math import ceil
from typing import NamedTuple

from mmcv.cnn import build_norm_layer
from mmcv.cnn.bricks import Conv2dAdaptivePadding, DropPath
from mmseg.models.utils import make_divisible
from torch import Tensor, nn

NORM = dict(eps=1e-3, momentum=0.01)
"""Settings of batch-norm in the original. Its momentum of 0.99 is the share of the old value; PyTorch's is 1 - 0.99."""

STEM = 32
"""Channels of the first convolution, in every variant."""


class Row(NamedTuple):
    """Successive blocks with the same settings, before width and depth are scaled.

    Attributes:
        blocks: Number of blocks.
        kernel: Kernel size of the depthwise convolutions.
        expand: Hidden channels of a block, as a multiple of its input channels.
        channels: Channels of the output.
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
"""Rows of each stage. The first block of every stage but the first has stride 2."""

VARIANTS = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Factors of width and depth for each variant."""


class BlockShape(NamedTuple):
    """Settings of one block.

    Attributes:
        in_channels: Channels of the input.
        channels: Channels of the output.
        kernel: Kernel size of the depthwise convolution.
        expand: Hidden channels, as a multiple of ``in_channels``; with 1 there is no expanding convolution.
        stride: Stride of the depthwise convolution.
        dilation: Dilation of the depthwise convolution.
    """

    in_channels: int
    channels: int
    kernel: int
    expand: int
    stride: int
    dilation: int


class InvertedResidual(nn.Module):
    """A 1x1 convolution that expands, a depthwise convolution, and a 1x1 convolution that projects.

    No activation follows the projection. The input is added if it has the size and the channels of the output.

    Args:
        shape: Channels, kernel, stride and dilation.
        norm_cfg: Config of the norm layers.
        drop_path: Probability that, in training, the block passes the input of an image on unchanged.
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
        """Return the output of the block, (N, channels, H / stride, W / stride), sizes rounded up.

        Args:
            x: (N, in_channels, H, W).
        """
        out = self.project(self.depthwise(self.expand(x)))
        return x + self.drop_path(out) if self.adds_input else out


def norm_config(norm_cfg: dict) -> dict:
    """Return the config of the norm layers; for batch-norm, missing settings are filled in from :data:`NORM`."""
    return {**NORM, **norm_cfg} if 'BN' in str(norm_cfg['type']) else norm_cfg


def block_shapes(variant: int, output_stride: int) -> list[list[BlockShape]]:
    """Return the settings of every block, one list for each stage."""
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
    """Return a convolution, a norm layer and, with ``activation``, ReLU6.

    mmcv's ConvModule is not used. It initialises depthwise kernels by the fan-out over all C channels: the variance of
    their outputs is C times smaller than with the fan-in and reaches ``eps`` of the norm.
    """
    # With stride 1 and an odd kernel the padding is symmetric; padding in the convolution then saves a copy of the map.
    kind, padding = (nn.Conv2d, (kernel - 1) // 2 * dilation) if stride == 1 else (Conv2dAdaptivePadding, 0)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers['conv'] = kind(
        in_channels, channels, kernel, stride, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    layers['bn'] = build_norm_layer(norm_cfg, channels)[1]
    if activation:
        layers['act'] = nn.ReLU6(inplace=True)
    return nn.Sequential(layers)

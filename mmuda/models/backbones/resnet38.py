"""ResNet-38 (model A1), the backbone of the published CBST."""

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
    """Successive blocks with the same numbers of channels.

    Attributes:
        blocks: Number of blocks.
        widths: Channels of the convolutions of a block, as multiples of the channels of the stem.
        stride: Stride of the first block.
        first: Dilation of each convolution of the first block.
        others: Dilation of each convolution of the other blocks.
        dropout: Probability of dropout before the last convolution.
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
    5: Level(3, (8, 16), 1, (1, 2), (2, 2)),  # dilation replaces a stride, from the second convolution on
    6: Level(1, (8, 16, 32), 1, (1, 4, 1), dropout=0.3),
    7: Level(1, (16, 32, 64), 1, (1, 4, 1), dropout=0.5),
}
"""Levels of model A1 at output stride 8. Blocks of two convolutions have 3x3 kernels, blocks of three 1x1, 3x3, 1x1."""


class PreActivationBlock(BaseModule):
    """Norm, ReLU and convolution, two or three times, with a shortcut (He et al., "Identity mappings", ECCV 2016).

    With ``a = relu(bn1(x))``, the output is ``convs(a) + shortcut(a)`` where resolution or channels change: the 1x1
    convolution of the shortcut takes the *activated* input. Elsewhere it is ``convs(a) + x``. Nothing follows the sum.

    Args:
        in_channels: Channels of the input.
        widths: Channels of each convolution.
        kernels: Kernel size of each convolution.
        dilations: Dilation of each convolution.
        stride: Stride of the first convolution and of the shortcut.
        projection: Whether the shortcut is a 1x1 convolution.
        dropout: Probability of dropout before the last convolution.
        norm_cfg: Config of the norm layers; :data:`NORM` by default.
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
        """Return the output of the block, (N, widths[-1], H / stride, W / stride), sizes rounded up.

        Args:
            x: (N, in_channels, H, W).
        """
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

    A 3x3 stem without norm, six levels (2 to 7) of 3, 3, 6, 3, 1 and 1 pre-activation blocks, norm and ReLU. The blocks
    of the last two levels are bottlenecks. Levels 2, 3 and 4 have stride 2; there is no pooling. Dropout of 0.3 and 0.5
    precedes the last convolutions of levels 6 and 7. Sizes are rounded up: 504x504 gives 63x63.

    Batch-norm normalises with its running statistics in training too (``norm_eval``), as in every segmentation training
    of the original; scale and shift are trained. Weights start from N(0, 2 / fan_in) unless ``init_cfg`` loads a file.

    Args:
        base_channels: Channels of the stem, 64 in the paper; the output has 64 times as many.
        norm_cfg: Config of the norm layers; batch-norm with epsilon 1.001e-5 by default, as in the original.
        norm_eval: Normalise with the running statistics in training too, and do not update them.
        with_cp: Recompute the activations of each block in the backward pass instead of keeping them, as the original
            does. This halves the memory for 504x504 images.
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
        """Return one non-negative feature map, (N, 64 * base_channels, H / 8, W / 8).

        Args:
            x: Images, (N, 3, H, W).
        """
        x = self.conv1a(x)
        for number in LEVELS:
            for block in getattr(self, f'level{number}'):
                again = self.with_cp and x.requires_grad and torch.is_grad_enabled()
                x = checkpoint(block, x, use_reentrant=False) if again else block(x)
        return (self.bn7(x).relu_(),)

    def train(self, mode: bool = True) -> 'ResNet38':
        """Set the training mode; with ``norm_eval``, batch-norm layers stay in eval mode."""
        super().train(mode)
        if self.norm_eval:
            freeze_batch_norm_statistics(self)
        return self

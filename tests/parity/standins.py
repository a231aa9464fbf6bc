"""Stand-in networks of the stored trajectories, as segmentors that our adaptors can train.

They follow the tables in the README of the golden files: network T has plain convolutions, network M is a bottleneck
ResNet of toy width. The names of parameters and all numbers of channels come from the files.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.models.segmentors import SegOutputs

Shapes = dict[str, tuple[int, ...]]
"""Shapes of parameters by their names in the files."""


def _conv(shape: tuple[int, ...], stride: int = 1, padding: int = 0, dilation: int = 1) -> nn.Conv2d:
    c_out, c_in, kernel, _ = shape
    return nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, bias=False)


def _norm(shape: tuple[int, ...]) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(shape[0]).requires_grad_(False)


class Bottleneck(nn.Module):
    def __init__(self, shapes: Shapes, name: str, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        of = {key.removeprefix(f'{name}.'): shape for key, shape in shapes.items() if key.startswith(f'{name}.')}
        self.conv1, self.bn1 = _conv(of['conv1.weight'], stride), _norm(of['bn1.weight'])
        self.conv2, self.bn2 = _conv(of['conv2.weight'], 1, dilation, dilation), _norm(of['bn2.weight'])
        self.conv3, self.bn3 = _conv(of['conv3.weight']), _norm(of['bn3.weight'])
        self.downsample = None
        if 'downsample.0.weight' in of:
            self.downsample = nn.Sequential(_conv(of['downsample.0.weight'], stride), _norm(of['downsample.1.weight']))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(out))
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class NetworkT(nn.Sequential):
    """The backbone of T; returns the features of `layer3` and `layer4`."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__(
            OrderedDict(
                conv1=_conv(shapes['conv1.weight'], 2, 1),
                bn1=_norm(shapes['bn1.weight']),
                layer1=_conv(shapes['layer1.weight'], 1, 1),
                layer2=_conv(shapes['layer2.weight'], 2, 1),
                layer3=_conv(shapes['layer3.weight'], 1, 2, 2),
                layer4=_conv(shapes['layer4.weight'], 1, 4, 4),
            )
        )
        self.channels = (shapes['layer3.weight'][0], shapes['layer4.weight'][0])

    def forward(self, x: Tensor):
        x = self.bn1(self.conv1(x)).relu()
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x).relu()
        return x, self.layer4(x).relu()


class NetworkM(nn.Sequential):
    """The backbone of M; returns the features of `layer3` and `layer4`."""

    def __init__(self, shapes: Shapes) -> None:
        def layer(name: str, stride: int = 1, dilation: int = 1) -> nn.Sequential:
            count = sum(re.fullmatch(rf'{name}\.\d+\.conv1\.weight', key) is not None for key in shapes)
            return nn.Sequential(
                *(Bottleneck(shapes, f'{name}.{i}', stride if i == 0 else 1, dilation) for i in range(count))
            )

        super().__init__(
            OrderedDict(
                conv1=_conv(shapes['conv1.weight'], 2, 3),
                bn1=_norm(shapes['bn1.weight']),
                layer1=layer('layer1'),
                layer2=layer('layer2', stride=2),
                layer3=layer('layer3', dilation=2),
                layer4=layer('layer4', dilation=4),
            )
        )
        self.channels = tuple(self.get_submodule(name)[-1].bn3.num_features for name in ('layer3', 'layer4'))

    def forward(self, x: Tensor):
        x = self.bn1(self.conv1(x)).relu()
        x = nn.functional.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return x, self.layer4(x)


@MODELS.register_module()
class StandIn(BaseModule):
    """A segmentor with `NetworkT` or `NetworkM` and our DeepLabV2 heads."""

    def __init__(
        self, trunk: str, shapes: Shapes, num_classes: int, two_levels: bool, summed: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.backbone = {'T': NetworkT, 'M': NetworkM}[trunk](shapes)
        aux_channels, channels = self.backbone.channels
        head = dict(type='DeepLabV2Head', num_classes=num_classes, summed=summed)
        self.auxiliary_head = MODELS.build(dict(head, in_channels=aux_channels, in_index=0)) if two_levels else None
        self.decode_head = MODELS.build(dict(head, in_channels=channels, in_index=1))
        self.with_auxiliary_head = two_levels
        self.align_corners = True

    def forward(self, inputs: Tensor, data_samples=None, mode: str = 'outputs') -> SegOutputs:
        features = self.backbone(inputs)
        logits = {'aux': self.auxiliary_head(features)} if self.with_auxiliary_head else {}
        logits['main'] = self.decode_head(features)
        return SegOutputs(logits, features, tuple(inputs.shape[-2:]), align_corners=True)

    # Conversion between our parameter names and those of the original.

    def to_original(self) -> dict[str, Tensor]:
        state = {}
        for name, value in self.state_dict(keep_vars=True).items():
            if name.endswith('num_batches_tracked'):
                continue
            name = name.replace('backbone.', '', 1)
            name = name.replace('auxiliary_head.branches', 'layer5.conv2d_list')
            state[name.replace('decode_head.branches', 'layer6.conv2d_list')] = value
        return state

    def load_original(self, arrays: dict[str, np.ndarray]) -> None:
        state = self.to_original()
        assert set(arrays) == set(state), sorted(set(arrays) ^ set(state))
        with torch.no_grad():
            for name, value in arrays.items():
                state[name].copy_(torch.from_numpy(value))


def discriminator_names(keys) -> dict[str, str]:
    """Return the names in our FCDiscriminatorHead by the original parameter names of a discriminator."""
    layers = sorted({key.rsplit('.', 1)[0] for key in keys}, key=lambda name: (name == 'classifier', len(name), name))
    return {key: f'convs.{layers.index(key.rsplit(".", 1)[0])}.{key.rsplit(".", 1)[1]}' for key in keys}


def load_discriminator(module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    names = discriminator_names(arrays)
    module.load_state_dict({names[key]: torch.from_numpy(value) for key, value in arrays.items()})

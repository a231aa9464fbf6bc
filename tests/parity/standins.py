"""The stand-in networks of the stored trajectories, as segmentors that our adaptors can train.

Built from the tables in the README of the golden files: network T (plain convolutions) and network M (a bottleneck
ResNet at toy width). Parameter names are those of the files.
"""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.models.segmentors import SegOutputs


def _conv(c_in: int, c_out: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, kernel, stride, padding, dilation, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels).requires_grad_(False)


class Bottleneck(nn.Module):
    def __init__(self, c_in: int, planes: int, stride: int = 1, dilation: int = 1, shortcut: bool = False) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(c_in, planes, 1, stride), _norm(planes)
        self.conv2, self.bn2 = _conv(planes, planes, 3, 1, dilation, dilation), _norm(planes)
        self.conv3, self.bn3 = _conv(planes, planes * 4, 1), _norm(planes * 4)
        self.downsample = nn.Sequential(_conv(c_in, planes * 4, 1, stride), _norm(planes * 4)) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        out = self.bn3(self.conv3(out))
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class NetworkT(nn.Sequential):
    """The trunk of T; returns the features of `layer3` and `layer4`."""

    channels = (8, 16)

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=_conv(3, 8, 3, 2, 1),
                bn1=_norm(8),
                layer1=_conv(8, 8, 3, 1, 1),
                layer2=_conv(8, 8, 3, 2, 1),
                layer3=_conv(8, 8, 3, 1, 2, 2),
                layer4=_conv(8, 16, 3, 1, 4, 4),
            )
        )

    def forward(self, x: Tensor):
        x = self.bn1(self.conv1(x)).relu()
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x).relu()
        return x, self.layer4(x).relu()


class NetworkM(nn.Sequential):
    """The trunk of M; returns the features of `layer3` and `layer4`."""

    channels = (16, 16)

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=_conv(3, 4, 7, 2, 3),
                bn1=_norm(4),
                layer1=nn.Sequential(Bottleneck(4, 2, shortcut=True)),
                layer2=nn.Sequential(Bottleneck(8, 2, stride=2, shortcut=True), Bottleneck(8, 2)),
                layer3=nn.Sequential(Bottleneck(8, 4, dilation=2, shortcut=True), Bottleneck(16, 4, dilation=2)),
                layer4=nn.Sequential(Bottleneck(16, 4, dilation=4, shortcut=True)),
            )
        )

    def forward(self, x: Tensor):
        x = self.bn1(self.conv1(x)).relu()
        x = nn.functional.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return x, self.layer4(x)


@MODELS.register_module()
class StandIn(BaseModule):
    """A segmentor over `NetworkT` or `NetworkM` with our DeepLabV2 heads."""

    def __init__(self, trunk: str, num_classes: int, two_levels: bool, summed: Sequence[int] | None = None) -> None:
        super().__init__()
        self.backbone = {'T': NetworkT, 'M': NetworkM}[trunk]()
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

    # The original's names of our parameters, both ways.

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
    """Original parameter name of a discriminator -> name in our FCDiscriminatorHead."""
    layers = sorted({key.rsplit('.', 1)[0] for key in keys}, key=lambda name: (name == 'classifier', len(name), name))
    return {key: f'convs.{layers.index(key.rsplit(".", 1)[0])}.{key.rsplit(".", 1)[1]}' for key in keys}


def load_discriminator(module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    names = discriminator_names(arrays)
    module.load_state_dict({names[key]: torch.from_numpy(value) for key, value in arrays.items()})

"""Stand-in networks of the stored trajectories of DACS, as a segmentor that our adaptor can train.

They follow the tables in the README of the golden files: D1 has plain convolutions, D2 has residual blocks. The widths
are those of the stored weights.
"""

from collections import OrderedDict

import numpy as np
import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmuda.models.segmentors import SegOutputs


def _conv(shape, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    c_out, c_in, kernel, _ = shape
    return nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=bias)


def _norm(shape) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(shape[0]).requires_grad_(False)


class PlainTrunk(nn.Module):
    """The backbone of D1."""

    def __init__(self, shapes: dict) -> None:
        super().__init__()
        self.conv1 = _conv(shapes['conv1.weight'], 2)
        self.bn1 = _norm(shapes['bn1.weight'])
        self.conv2 = _conv(shapes['conv2.weight'], 2, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.bn1(self.conv1(x)).relu()).relu()


class Block(nn.Module):
    """A convolution with a shortcut, which is another convolution or the identity."""

    def __init__(self, shapes: dict, prefix: str, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(shapes[f'{prefix}.conv1.weight'], stride)
        self.bn1 = _norm(shapes[f'{prefix}.bn1.weight'])
        shortcut = f'{prefix}.downsample'
        if f'{shortcut}.0.weight' in shapes:
            self.downsample = nn.Sequential(
                _conv(shapes[f'{shortcut}.0.weight'], stride), _norm(shapes[f'{shortcut}.1.weight'])
            )
        else:
            self.downsample = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return (self.bn1(self.conv1(x)) + self.downsample(x)).relu()


class ResidualTrunk(nn.Module):
    """The backbone of D2."""

    def __init__(self, shapes: dict) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(shapes['conv1.weight'], 2), _norm(shapes['bn1.weight'])
        self.layer1 = nn.Sequential(Block(shapes, 'layer1.0', 2), Block(shapes, 'layer1.1', 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer1(self.bn1(self.conv1(x)).relu())


@MODELS.register_module()
class DACSStandIn(BaseModule):
    """The network D1 or D2, as the names of the stored weights determine."""

    def __init__(self, shapes: dict) -> None:
        super().__init__()
        trunk = ResidualTrunk if 'layer1.0.conv1.weight' in shapes else PlainTrunk
        self.backbone = trunk(shapes)
        self.decode_head = _conv(shapes['layer5.weight'], bias=True)

    def forward(self, inputs: Tensor, data_samples=None, mode: str = 'outputs') -> SegOutputs:
        features = self.backbone(inputs)
        return SegOutputs(dict(main=self.decode_head(features)), (features,), tuple(inputs.shape[-2:]), True)

    def to_original(self) -> dict[str, Tensor]:
        """Return our tensors by their names in the files."""
        names = self.state_dict(keep_vars=True)
        return OrderedDict(
            (name.replace('backbone.', '', 1).replace('decode_head.', 'layer5.', 1), value)
            for name, value in names.items()
        )

    def load_original(self, arrays: dict[str, np.ndarray]) -> None:
        state = self.to_original()
        assert set(arrays) == set(state), sorted(set(arrays) ^ set(state))
        with torch.no_grad():
            for name, value in arrays.items():
                state[name].copy_(torch.from_numpy(np.asarray(value)))

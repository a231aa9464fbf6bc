"""The stand-in network of the stored trainings of FDA, as a segmentor that our adaptor can train."""

import numpy as np
import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from standins import Bottleneck
from torch import Tensor, nn

from mmuda.models.segmentors import SegOutputs

STRIDES, DILATIONS = (1, 2, 1, 1), (1, 1, 2, 4)


class Trunk(nn.Module):
    """A bottleneck ResNet with the widths and depths of stored weights."""

    def __init__(self, shapes: dict) -> None:
        super().__init__()
        width, channels = shapes['conv1.weight'][:2]
        self.conv1 = nn.Conv2d(channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width).requires_grad_(False)
        for number, (stride, dilation) in enumerate(zip(STRIDES, DILATIONS, strict=True), 1):
            name, blocks = f'layer{number}', []
            while f'{name}.{len(blocks)}.conv1.weight' in shapes:
                blocks.append(Bottleneck(shapes, f'{name}.{len(blocks)}', 1 if blocks else stride, dilation))
            setattr(self, name, nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1, ceil_mode=True)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


@MODELS.register_module()
class FDAStandIn(BaseModule):
    """The backbone with our DeepLabV2 head."""

    def __init__(self, shapes: dict) -> None:
        super().__init__()
        self.backbone = Trunk(shapes)
        classes, channels = shapes['layer5.conv2d_list.0.weight'][:2]
        self.decode_head = MODELS.build(
            dict(type='DeepLabV2Head', num_classes=classes, in_channels=channels, in_index=0)
        )
        self.seen: list[SegOutputs] = []

    def forward(self, inputs: Tensor, data_samples=None, mode: str = 'outputs') -> SegOutputs:
        features = (self.backbone(inputs),)
        outputs = SegOutputs(dict(main=self.decode_head(features)), features, tuple(inputs.shape[-2:]), True)
        self.seen.append(outputs.detach())
        return outputs

    def to_original(self) -> dict[str, Tensor]:
        """Return our tensors by their names in the files."""
        renamed = {
            name.replace('backbone.', '', 1).replace('decode_head.branches', 'layer5.conv2d_list'): value
            for name, value in self.state_dict(keep_vars=True).items()
        }
        return {name: value for name, value in renamed.items() if not name.endswith('num_batches_tracked')}

    def load_original(self, arrays: dict[str, np.ndarray]) -> None:
        state = self.to_original()
        assert set(arrays) == set(state), sorted(set(arrays) ^ set(state))
        with torch.no_grad():
            for name, value in arrays.items():
                state[name].copy_(torch.from_numpy(np.asarray(value)))

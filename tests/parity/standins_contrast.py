"""Stand-in networks of the stored runs of FADA and SDCA, as segmentors that our adaptors can train."""

from collections import OrderedDict

import numpy as np
import torch
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmuda.models.segmentors import AdaptiveEncoderDecoder


@MODELS.register_module()
class Strided(BaseModule):
    """The backbone S1 (two convolutions) or S2 (with batch-norm and a dilated third convolution), output stride 4."""

    def __init__(self, kind: str, inputs: int, width: int, channels: int) -> None:
        super().__init__()
        if kind == 'S1':
            layers = OrderedDict(
                conv1=nn.Conv2d(inputs, width, 3, 2, 1),
                act1=nn.ReLU(),
                conv2=nn.Conv2d(width, channels, 3, 2, 1),
                act2=nn.ReLU(),
            )
        else:
            layers = OrderedDict(
                conv1=nn.Conv2d(inputs, width, 3, 2, 1, bias=False),
                bn1=nn.BatchNorm2d(width),
                act1=nn.ReLU(),
                conv2=nn.Conv2d(width, channels, 3, 2, 1),
                act2=nn.ReLU(),
                conv3=nn.Conv2d(channels, channels, 3, 1, 2, 2, bias=False),
                act3=nn.ReLU(),
            )
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.order = list(layers)

    def forward(self, x: Tensor) -> tuple:
        for name in self.order:
            x = getattr(self, name)(x)
        return (x,)


def our_name(key: str) -> str:
    """Return the name in our segmentor for a key of the files (`fea.`, `cls.`)."""
    return key.replace('fea.', 'backbone.', 1).replace('cls.conv2d_list.', 'decode_head.branches.', 1)


def segmentor(arrays: dict[str, np.ndarray]) -> dict:
    """Return the config of the network with the shapes of these weights."""
    num_classes, channels = arrays['cls.conv2d_list.0.weight'].shape[:2]
    width, inputs = arrays['fea.conv1.weight'].shape[:2]
    kind = 'S2' if 'fea.bn1.weight' in arrays else 'S1'
    return dict(
        type='AdaptiveEncoderDecoder',
        backbone=dict(type='Strided', kind=kind, inputs=inputs, width=width, channels=channels),
        decode_head=dict(type='DeepLabV2Head', in_channels=channels, in_index=0, num_classes=num_classes),
        test_cfg=dict(mode='whole'),
    )


def load_original(model: AdaptiveEncoderDecoder, arrays: dict[str, np.ndarray]) -> None:
    state = {
        our_name(key): torch.from_numpy(value) for key, value in arrays.items() if key.startswith(('fea.', 'cls.'))
    }
    model.load_state_dict(state)


def side(images: np.ndarray, labels: np.ndarray = None) -> dict:
    """Return one domain of a preprocessed batch."""
    samples = []
    for i in range(len(images)):
        sample = SegDataSample()
        if labels is not None:
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(labels[i].astype(np.int64))[None])
        samples.append(sample)
    return dict(inputs=torch.from_numpy(images), data_samples=samples)


def heads_at_ten_times() -> dict:
    return dict(custom_keys=dict(decode_head=dict(lr_mult=10.0)))


class AsItIs(nn.Module):
    """A preprocessor for batches that are preprocessed already."""

    def forward(self, data, training=False):
        return data


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Multiply the initial learning rates of all groups by a factor."""
    for group in optimizer.param_groups:
        group.setdefault('first_lr', group['lr'])
        group['lr'] = group['first_lr'] * factor


def deviation(ours: Tensor, stored: np.ndarray) -> float:
    """Return the largest difference, relative to 1 + |value|."""
    return float((np.abs(ours.detach().double().numpy() - stored) / (1 + np.abs(stored))).max())


def length_of_weights(module: nn.Module) -> float:
    """Return the L2 norm of the state of a module, without counters."""
    return (
        sum(value.double().square().sum().item() for value in module.state_dict().values() if value.is_floating_point())
        ** 0.5
    )

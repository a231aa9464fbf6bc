"""Networks without memory, on the meta device."""

import sys

import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from torch import nn

from mmuda.models.building import build_without_memory

SWIN = dict(
    type='EncoderDecoder',
    pretrained='swin.pth',
    backbone=dict(
        type='SwinTransformer', embed_dims=4, depths=(1, 1), num_heads=(1, 1), strides=(4, 2), drop_path_rate=0.3
    ),
    decode_head=dict(type='FCNHead', in_channels=8, channels=4, num_classes=3),
)
SWIN['backbone']['out_indices'] = (0, 1)


def devices(model: nn.Module) -> set[str]:
    return {parameter.device.type for parameter in model.parameters()}


def test_names_shapes_and_types_are_those_of_the_network():
    cfg = ConfigDict(SWIN)
    before = str(cfg)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    model = build_without_memory(cfg)
    assert devices(model) == {'meta'} and str(cfg) == before and torch.equal(torch.get_rng_state(), state)
    real = MODELS.build(cfg).state_dict()
    assert {key: (value.shape, value.dtype) for key, value in model.state_dict().items()} == {
        key: (value.shape, value.dtype) for key, value in real.items()
    }


@MODELS.register_module()
class Parts(nn.Sequential):
    """A network with one layer for each way to initialise weights."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(2, 3), nn.Embedding(4, 5), nn.Conv2d(1, 2, 3))
        nn.init.normal_(self[2].weight)
        with torch.no_grad():
            self[0].weight.uniform_().normal_()


def test_no_values_are_drawn(monkeypatch):
    """No random values are drawn. PyTorch would import its compiler to draw values of weights without memory."""
    monkeypatch.setitem(sys.modules, 'torch._dynamo', None)  # makes this import fail
    model = build_without_memory(ConfigDict(type='Parts'))
    assert devices(model) == {'meta'} and len(model) == 3


class Computes(nn.Linear):
    """A layer that reads a weight while it is built."""

    def __init__(self, cfg: dict) -> None:
        super().__init__(2, 2)
        self.first = cfg.pop('more') + self.weight[0, 0].item()


def test_a_network_that_computes_with_its_weights_is_on_the_cpu():
    cfg = dict(type=Computes, cfg=dict(more=1))
    model = build_without_memory(cfg)
    assert devices(model) == {'cpu'} and cfg == dict(type=Computes, cfg=dict(more=1))

"""MiT by the names of its variants."""

import pytest
import torch
from torch import nn

from mmuda.models import MiT

SMALL = dict(embed_dims=4, num_layers=(1, 1, 1, 1), sr_ratios=(2, 2, 1, 1))


def test_outputs():
    net = MiT('b0', **SMALL).eval()
    assert list(net.out_channels) == [4, 8, 20, 32]
    with torch.no_grad():
        features = net(torch.rand(2, 3, 32, 64))
    assert [tuple(feature.shape) for feature in features] == [
        (2, channels, 32 // stride, 64 // stride)
        for channels, stride in zip(net.out_channels, (4, 8, 16, 32), strict=True)
    ]


def test_layer_norms_have_the_epsilon_of_the_original():
    def epsilons(**kwargs) -> dict[str, float]:
        parts = MiT(**SMALL, **kwargs).named_modules()
        return {name: part.eps for name, part in parts if isinstance(part, nn.LayerNorm)}

    reductions = ('layers.0.0.norm', 'layers.3.0.norm', 'layers.0.1.0.attn.norm')
    found = epsilons()
    assert all(found[name] == 1e-5 for name in reductions)
    assert found['layers.0.1.0.norm1'] == found['layers.2.2'] == 1e-6
    assert set(epsilons(reduction_eps=None).values()) == {1e-6}


def test_it_is_built_where_it_should_be():
    with torch.device('meta'):
        net = MiT('b5')
    assert {p.device.type for p in net.parameters()} == {'meta'}
    assert sum(p.numel() for p in net.parameters()) == 81_443_008
    assert {p.device.type for p in MiT(**SMALL).parameters()} == {'cpu'}


def test_an_unknown_variant_is_an_error():
    with pytest.raises(ValueError, match="MiT: variant='b6', expected one of b0"):
        MiT('b6')

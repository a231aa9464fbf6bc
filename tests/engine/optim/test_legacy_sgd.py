"""SGD with parameters that are listed more than once."""

import pytest
import torch
from torch import nn

from mmuda.engine import LegacySGD


@pytest.mark.parametrize('version', ['0.4', '1.5', '1.9'])
@pytest.mark.parametrize('momentum', [0.9, 0.0])
def test_legacy_sgd_without_repeats_is_sgd(version, momentum):
    torch.manual_seed(0)
    nets = [nn.Linear(5, 3) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    settings = dict(lr=0.1, momentum=momentum, weight_decay=0.01)
    optimizers = (
        LegacySGD(nets[0].parameters(), **settings, version=version),
        torch.optim.SGD(nets[1].parameters(), **settings),
    )
    for _ in range(4):
        x = torch.rand(2, 5)
        for net, optimizer in zip(nets, optimizers, strict=True):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    'version, weights',
    [
        # g=3+.2*1=3.2, v=3.2, p=1-.32=.68; g=3.2+.2*.68=3.336, v=1.6+3.336=4.936, p=.68-.4936=.1864
        # g=1+.2*.1864=1.03728, v=2.468+1.03728=3.50528, p=-.164128; g=1.0044544, v=2.7570944, p=-.43983744
        ('0.4', [0.1864, -0.43983744]),
        # d=3.2, v=3.2, p=.68; d=3.136, v=4.736, p=.2064
        # d=1.04128, v=3.40928, p=-.134528; d=.9730944, v=2.6777344, p=-.40230144
        ('1.5', [0.2064, -0.40230144]),
        # d=3.2, v=3.2, p=.68; d=v=3.136, p=.3664
        # d=1.07328, v=2.64128, p=.102272; d=1.0204544, v=2.3410944, p=-.13183744
        ('1.9', [0.3664, -0.13183744]),
    ],
)
def test_legacy_sgd_treats_repeats_as_a_release_of_pytorch_did(version, weights):
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = LegacySGD([weight], lr=0.1, momentum=0.5, weight_decay=0.2, repeats=2, version=version)
    for gradient, after in zip((3.0, 1.0), weights, strict=True):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        torch.testing.assert_close(weight.detach(), torch.tensor([after]))  # computed by hand in the comments above


def test_legacy_sgd_knows_its_versions():
    with pytest.raises(ValueError, match="version='2.0', expected one of"):
        LegacySGD([nn.Parameter(torch.zeros(1))], lr=0.1, version='2.0')

"""SGD of parameters that are listed more than once."""

import torch
from torch import nn

from mmuda.engine import LegacySGD


def test_legacy_sgd_without_repeats_is_sgd():
    torch.manual_seed(0)
    nets = [nn.Linear(5, 3) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    settings = dict(lr=0.1, momentum=0.9, weight_decay=0.01)
    optimizers = LegacySGD(nets[0].parameters(), **settings), torch.optim.SGD(nets[1].parameters(), **settings)
    for _ in range(4):
        x = torch.rand(2, 5)
        for net, optimizer in zip(nets, optimizers, strict=True):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_legacy_sgd_repeats_accumulate_the_decay():
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = LegacySGD([weight], lr=0.1, momentum=0.5, weight_decay=0.2, repeats=2)
    weight.grad = torch.tensor([3.0])
    optimizer.step()
    # by hand: g=3+.2*1=3.2, v=3.2, p=1-.32=.68; g=3.2+.2*.68=3.336, v=1.6+3.336=4.936, p=.68-.4936
    torch.testing.assert_close(weight.detach(), torch.tensor([0.68 - 0.4936]))

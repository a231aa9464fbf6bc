"""Frozen statistics of batch-norm."""

import torch
from torch import nn

from mmuda.models.batch_norm import freeze_batch_norm_statistics


def test_statistics_stay_and_scale_and_shift_are_trained():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4)), nn.Dropout()).train()
    freeze_batch_norm_statistics(net)
    norm = net[1][0]
    assert net[0].training and net[1].training and net[2].training and not norm.training
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    net(torch.rand(2, 3, 5, 5)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    assert norm.weight.grad is not None and norm.bias.grad is not None


def test_every_kind_of_batch_norm_and_no_other_norm():
    kinds = [nn.BatchNorm1d(4), nn.BatchNorm2d(4), nn.BatchNorm3d(4), nn.SyncBatchNorm(4)]
    others = [nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm(4)]
    freeze_batch_norm_statistics(nn.ModuleList([*kinds, *others]))
    assert not any(norm.training for norm in kinds) and all(norm.training for norm in others)

"""Frozen networks through which other networks are trained."""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmuda.models import frozen


def test_gradients_pass_through_but_are_not_accumulated():
    critic = nn.Conv2d(3, 1, 1)
    images = torch.rand(1, 3, 4, 4, requires_grad=True)
    with frozen(critic, None):
        critic(images).sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    assert critic.weight.grad is None
    assert critic.weight.requires_grad and critic.bias.requires_grad


def test_what_was_frozen_before_stays_frozen():
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3).requires_grad_(False))
    with pytest.raises(RuntimeError, match='inside'), frozen(module):
        raise RuntimeError('inside')
    assert module[0].weight.requires_grad and not module[1].weight.requires_grad


@pytest.fixture
def process_group():
    """Create a process group with this process alone."""
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures('process_group')
def test_a_distributed_wrapper_does_not_synchronise_meanwhile():
    wrapped, unsynced = DistributedDataParallel(nn.Conv2d(3, 1, 1)), DistributedDataParallel(nn.Conv2d(3, 1, 1))
    unsynced.require_backward_grad_sync = False
    with frozen(wrapped, unsynced):
        assert not wrapped.require_backward_grad_sync
    assert wrapped.require_backward_grad_sync and not unsynced.require_backward_grad_sync

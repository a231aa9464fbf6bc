"""Moments of more values than fit into memory: exact, in any order, on any number of processes."""

import pytest
import torch
from processes import run_on_processes

from mmuda.engine.pooled_moments import PooledMoments


def pieces() -> list[torch.Tensor]:
    """Return values whose mean is large compared to their deviation, in pieces of different sizes."""
    generator = torch.Generator().manual_seed(0)
    sizes = [(2, 3, 5, 4), (1, 3, 7, 7), (4, 3, 2, 9), (3, 3, 11, 1)]
    return [
        100 + torch.randn(size, generator=generator) * torch.tensor([1.0, 0.1, 5.0]).view(3, 1, 1) for size in sizes
    ]


def moments_of(values: list[torch.Tensor]) -> PooledMoments:
    moments = PooledMoments(3)
    for piece in values:
        moments.add(piece)
    return moments


def test_moments_are_those_of_all_values_at_once():
    together = torch.cat([piece.transpose(0, 1).flatten(1) for piece in pieces()], dim=1).double()
    moments = moments_of(pieces())
    mean, variance = moments.mean_and_variance()
    assert moments.count == together.shape[1]
    torch.testing.assert_close(mean, together.mean(1), rtol=1e-15, atol=0)
    torch.testing.assert_close(variance, together.var(1, unbiased=True), rtol=1e-8, atol=0)


def test_the_order_does_not_show():
    forwards, backwards = moments_of(pieces()), moments_of(pieces()[::-1])
    for one, other in zip(forwards.mean_and_variance(), backwards.mean_and_variance(), strict=True):
        assert torch.equal(one, other)


def test_a_state_goes_on():
    first, second = moments_of(pieces()[:2]), PooledMoments(3)
    second.load_state_dict(first.state_dict())
    for piece in pieces()[2:]:
        second.add(piece)
    for one, other in zip(second.mean_and_variance(), moments_of(pieces()).mean_and_variance(), strict=True):
        assert torch.equal(one, other)


def test_a_variance_needs_two_values():
    with pytest.raises(ValueError, match='needs at least two values in each channel, but there were 1'):
        moments_of([torch.ones(1, 3)]).mean_and_variance()


def shared(rank: int) -> dict:
    moments = moments_of(pieces()[rank::3])
    moments.merge_processes()
    mean, variance = moments.mean_and_variance()
    return dict(count=moments.count, mean=mean, variance=variance)


def test_processes_share_the_values(tmp_path):
    alone = moments_of(pieces())
    for found in run_on_processes(shared, tmp_path, count=3):
        assert found['count'] == alone.count
        assert torch.equal(found['mean'], alone.mean_and_variance()[0])
        assert torch.equal(found['variance'], alone.mean_and_variance()[1])

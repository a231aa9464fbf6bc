"""Entropy of predictions."""

import math

import pytest
import torch

from mmuda.models.losses import entropy_loss, self_information


def test_a_uniform_prediction_has_the_largest_entropy():
    logits = torch.full((2, 5, 3, 4), 7.0)
    torch.testing.assert_close(self_information(logits), torch.full_like(logits, 1 / 5))
    assert entropy_loss(logits).item() == pytest.approx(1)


def test_a_certain_prediction_has_none_and_a_finite_gradient():
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, 1] = 1e4
    loss = entropy_loss(logits.requires_grad_())
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6) and logits.grad.isfinite().all()


def test_two_classes_by_hand():
    logits = torch.tensor([0.8, 0.2]).log()[None, :, None, None]
    parts = [-p * math.log2(p) for p in (0.8, 0.2)]
    assert self_information(logits).flatten().tolist() == pytest.approx(parts)
    assert entropy_loss(logits).item() == pytest.approx(sum(parts))


def test_the_mean_is_over_pixels():
    logits = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(entropy_loss(logits), self_information(logits).sum(dim=1).mean())


def test_half_precision_logits():
    half = torch.randn(1, 4, 3, 3).bfloat16() * 50
    assert self_information(half).dtype == torch.float32
    assert torch.equal(self_information(half), self_information(half.float()))

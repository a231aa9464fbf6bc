"""Soft labels of FADA and their cross-entropy."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmuda.models.losses import SOURCE, TARGET, soft_cross_entropy, soft_labels

CLASSES, SHAPE = 4, (6, 5)


def case(seed: int = 0, scale: float = 3.0) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 2 * CLASSES, *SHAPE, generator=generator)
    return scores.requires_grad_(), scale * torch.randn(2, CLASSES, *SHAPE, generator=generator)


def reference(scores, soft, domain):
    """Return the loss with all 2C labels, of which one half is zero."""
    zeros = torch.zeros_like(soft)
    labels = torch.cat([soft, zeros] if domain == SOURCE else [zeros, soft], dim=1)
    return -(labels.double() * scores.double().log_softmax(dim=1)).sum(dim=1).mean()


@pytest.mark.parametrize('domain', [SOURCE, TARGET])
@pytest.mark.parametrize('clip', [1.0, 0.9, 0.5])
def test_all_channels_and_both_halves_of_the_labels(domain, clip):
    scores, logits = case()
    soft = soft_labels(logits, clip)
    loss, wanted = soft_cross_entropy(scores, soft, domain), reference(scores, soft, domain)
    torch.testing.assert_close(loss.double(), wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(*(torch.autograd.grad(3 * value, scores)[0] for value in (loss, wanted)))
    assert loss.item() != pytest.approx(soft_cross_entropy(scores, soft, SOURCE + TARGET - domain).item(), rel=1e-3)


def test_probability_above_the_clip_is_dropped():
    _, logits = case(scale=8.0)
    probs = logits.softmax(dim=1)
    soft = soft_labels(logits)
    clipped = probs > 0.9
    assert clipped.any() and not clipped.any(dim=1).all()
    assert (soft[clipped] == torch.tensor(0.9)).all() and torch.equal(soft[~clipped], probs[~clipped])
    dropped = (probs - 0.9).clamp(min=0).sum(dim=1)
    torch.testing.assert_close(soft.sum(dim=1), 1 - dropped)
    assert soft.sum(dim=1).min() < 0.95


def test_pixels_count_by_the_sum_of_their_labels():
    """Uniform scores cost log(2C) for each unit of probability in the labels."""
    soft = torch.zeros(1, CLASSES, 1, 2)
    soft[0, :2, 0, 0] = torch.tensor([0.5, 0.1])
    scores = torch.full((1, 2 * CLASSES, 1, 2), 7.0)
    assert soft_cross_entropy(scores, soft, TARGET).item() == pytest.approx(0.6 / 2 * math.log(2 * CLASSES), rel=1e-5)


def test_labels_are_constants_in_float32():
    scores, logits = case()
    soft = soft_labels(logits.requires_grad_())
    assert not soft.requires_grad
    assert soft_labels(logits.bfloat16()).dtype == torch.float32
    half = scores.detach().bfloat16().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        loss = soft_cross_entropy(half, soft, TARGET)
    loss.backward()
    assert loss.dtype == torch.float32 and half.grad.isfinite().all() and half.grad.any()
    torch.testing.assert_close(loss, soft_cross_entropy(half.detach().float(), soft, TARGET))


@pytest.mark.parametrize('scale', [100.0, 1e4])
def test_large_scores_have_exact_gradients(scale):
    scores, logits = case()
    scores = (scale * scores.detach()).requires_grad_()
    soft = soft_labels(logits)
    ours, wanted = (
        torch.autograd.grad(loss(scores, soft, TARGET), scores)[0] for loss in (soft_cross_entropy, reference)
    )
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-6 * wanted.abs().max().item())


def test_large_scores_do_not_overflow():
    scores = torch.zeros(1, 2 * CLASSES, 1, 1)
    scores[0, 1] = 1e4
    soft = F.one_hot(torch.tensor([[[1]]]), CLASSES).movedim(-1, 1).float()
    assert soft_cross_entropy(scores, soft, SOURCE) == 0
    assert soft_cross_entropy(scores, soft, TARGET) == 1e4

"""The Lovász-softmax loss, compared with its definition by sets of pixels."""

import numpy as np
import pytest
import torch

import mmuda.models.losses.lovasz as lovasz
from mmuda.models.losses import lovasz_softmax

CLASSES, SHAPE = 5, (2, 7, 6)


def case(seed: int = 0, ignored: float = 0.3, absent: tuple = (3,)) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(SHAPE[0], CLASSES, *SHAPE[1:], generator=generator)
    labels = torch.randint(CLASSES, SHAPE, generator=generator)
    labels[torch.rand(SHAPE, generator=generator) < ignored] = 255
    for index in absent:
        labels[labels == index] = 0
    return logits.requires_grad_(), labels


def jaccard_loss(truth: np.ndarray, wrong: np.ndarray) -> float:
    """Return the Jaccard loss of a prediction that is wrong at a set of pixels; both arguments are (P,) bool."""
    prediction = truth ^ wrong
    return 1 - (truth & prediction).sum() / (truth | prediction).sum()


def reference(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the loss class by class and pixel by pixel in float64."""
    rows = logits.double().softmax(dim=1).movedim(1, -1).flatten(0, 2)
    valid = (labels != 255).flatten()
    rows, labels = rows[valid], labels.flatten()[valid]
    losses = []
    for index in labels.unique():
        truth = labels == index
        errors = (truth.double() - rows[:, index]).abs()
        wrong, last, loss = np.zeros(len(labels), bool), 0.0, 0.0
        for pixel in errors.argsort(descending=True):
            wrong[pixel] = True
            now = jaccard_loss(truth.numpy(), wrong)
            loss, last = loss + errors[pixel] * (now - last), now
        losses.append(loss)
    return torch.stack(losses).mean()


@pytest.mark.parametrize('ignored', [0.0, 0.3, 0.9])
@pytest.mark.parametrize('absent', [(), (3,), (1, 2, 3, 4)])
def test_loss_and_gradient_are_those_of_the_definition(ignored, absent):
    logits, labels = case(1, ignored, absent)
    loss, wanted = lovasz_softmax(logits, labels), reference(logits, labels)
    torch.testing.assert_close(loss.double(), wanted, rtol=1e-5, atol=1e-6)
    gradients = [torch.autograd.grad(3 * value, logits)[0] for value in (loss, wanted)]
    assert gradients[1].any()
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('block', [1, 2 * 84, 3 * 84, 4 * 84 + 1])
def test_blocks_of_classes(monkeypatch, block):
    logits, labels = case(2)
    assert labels.numel() == 84
    whole = lovasz_softmax(logits, labels)
    monkeypatch.setattr(lovasz, 'BLOCK', block)
    parts = lovasz_softmax(logits, labels)
    assert torch.equal(parts, whole)
    assert torch.equal(*(torch.autograd.grad(value, logits)[0] for value in (parts, whole)))


def test_nothing_labelled_is_a_zero_without_gradient():
    logits, labels = case()
    loss = lovasz_softmax(logits, torch.full_like(labels, 255))
    assert loss == 0 and loss.requires_grad
    assert not torch.autograd.grad(loss, logits)[0].any()


def test_one_labelled_pixel():
    """With one labelled pixel, the loss is the error of its class."""
    logits, labels = case()
    labels = torch.full_like(labels, 255)
    labels[1, 2, 3] = 4
    loss = lovasz_softmax(logits, labels)
    error = 1 - logits.softmax(dim=1)[1, 4, 2, 3]
    torch.testing.assert_close(loss, error)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in (loss, error)))


def test_a_perfect_and_a_wrong_prediction():
    labels = case(3, absent=())[1]
    one_hot = torch.nn.functional.one_hot(labels.masked_fill(labels == 255, 0), CLASSES).movedim(-1, 1).float()
    assert lovasz_softmax(100 * one_hot, labels).item() == pytest.approx(0, abs=1e-12)
    assert lovasz_softmax(100 * one_hot.roll(1, dims=1), labels).item() == pytest.approx(1)


def test_negative_labels_are_ignored():
    logits, labels = case(4)
    negative = labels.masked_fill(labels == 255, -1)
    assert torch.equal(lovasz_softmax(logits, negative), lovasz_softmax(logits, labels))
    assert torch.equal(lovasz_softmax(logits, negative, ignore_index=7), lovasz_softmax(logits, labels))


def test_a_class_may_be_ignored():
    logits, labels = case(4, absent=())
    rest = labels.masked_fill(labels == 2, 255)
    losses = lovasz_softmax(logits, rest.masked_fill(rest == 255, 2), ignore_index=2), lovasz_softmax(logits, rest)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in losses))


def test_half_precision_logits():
    logits, labels = case(5)
    half = logits.detach().bfloat16().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        loss = lovasz_softmax(half, labels)
    loss.backward()
    assert loss.dtype == torch.float32 and half.grad.isfinite().all() and half.grad.any()
    torch.testing.assert_close(loss, lovasz_softmax(half.detach().float(), labels))


@pytest.mark.parametrize('ignored', [0.0, 0.3])
def test_counts_of_more_pixels_than_float32_can(monkeypatch, ignored):
    logits, labels = case(6, ignored)
    usual = lovasz_softmax(logits, labels)
    monkeypatch.setattr(lovasz, 'EXACT', 1)  # as if the image had more pixels
    large = lovasz_softmax(logits, labels)
    assert large.dtype == torch.float32
    torch.testing.assert_close(large, usual)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in (large, usual)))

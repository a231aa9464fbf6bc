"""The contrastive bound, compared with its formula."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from mmuda.models.losses import contrastive_bound
from mmuda.models.memories.class_statistics import ClassStatistics

CLASSES, CHANNELS, SHAPE = 5, 7, (2, 6, 4)


def case(seed: int = 0, ignored: float = 0.3, classes=CLASSES, channels=CHANNELS, shape=SHAPE) -> tuple:
    """Return maps, labels, means and variances; one class has no statistics."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape[0], channels, *shape[1:], generator=generator) * 3
    labels = torch.randint(classes, shape, generator=generator)
    labels[torch.rand(shape, generator=generator) < ignored] = 255
    mean = torch.randn(classes, channels, generator=generator)
    variance = torch.rand(classes, channels, generator=generator)
    mean[1] = variance[1] = 0
    return maps, labels, mean, variance


def reference(maps, labels, mean, variance, tau):
    """Return the bound in float64: the cross-entropy of z, plus the quadratic part of the positive logit."""
    rows, labels = maps.double().movedim(1, -1).flatten(0, 2), labels.flatten()
    x, y = F.normalize(rows[labels != 255]), labels[labels != 255]
    m, v = F.normalize(mean.double()), F.normalize(variance.double())
    z = x @ m.T / tau + x.square() @ v.T / (2 * tau**2)
    return F.cross_entropy(z, y) + (x.square() * v[y]).sum(dim=1).mean() / (2 * tau**2)


@pytest.mark.parametrize('tau', [100.0, 1.0, 0.2])
@pytest.mark.parametrize('seed', range(3))
def test_loss_and_gradient_are_those_of_the_formula(seed, tau):
    maps, labels, mean, variance = case(seed)
    maps.requires_grad_()
    loss = contrastive_bound(maps, labels, mean, variance, tau)
    # The factor 3 checks the backward pass with a weighted loss.
    (gradient,) = torch.autograd.grad(3 * loss, maps)
    wanted = reference(maps, labels, mean, variance, tau)
    (wanted_gradient,) = torch.autograd.grad(3 * wanted, maps)
    torch.testing.assert_close(loss.double(), wanted, rtol=1e-6, atol=1e-6)
    scale = wanted_gradient.abs().max()
    torch.testing.assert_close(gradient / scale, wanted_gradient / scale, rtol=1e-4, atol=2e-6)


def test_the_gradient_is_that_of_finite_differences():
    """The gradient equals finite differences of the same function in float32, which test its own backward pass."""
    maps, labels, mean, variance = case(4, shape=(1, 2, 2), ignored=0.0)
    maps.requires_grad_()
    loss = contrastive_bound(maps, labels, mean, variance, 0.2)
    (gradient,) = torch.autograd.grad(loss, maps)
    direction = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1))
    ends = [
        contrastive_bound((maps + step * direction).detach(), labels, mean, variance, 0.2) for step in (0.02, -0.02)
    ]
    torch.testing.assert_close((gradient * direction).sum(), (ends[0] - ends[1]) / 0.04, rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize('length', [0.0, 1e-13, 5e-13])
def test_a_vector_of_no_length(length):
    """The gradient at short vectors is that of `normalize`: divided by the minimum length, with no part removed."""
    maps, labels, mean, variance = case(5, ignored=0.0)
    maps[0, :, 0, 0] = F.normalize(maps[0, :, 0, 0], dim=0) * length
    maps.requires_grad_()
    (gradient,) = torch.autograd.grad(contrastive_bound(maps, labels, mean, variance, 1.0), maps)
    (wanted,) = torch.autograd.grad(reference(maps, labels, mean, variance, 1.0), maps)
    assert gradient.isfinite().all() and gradient[0, :, 0, 0].abs().max() > 1e6
    torch.testing.assert_close(gradient[0, :, 0, 0] * 1e-12, wanted[0, :, 0, 0] * 1e-12, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradient[1], wanted[1], rtol=1e-4, atol=1e-6)


def test_nothing_labelled_is_a_zero_that_depends_on_the_maps():
    maps, labels, mean, variance = case()
    maps.requires_grad_()
    loss = contrastive_bound(maps, torch.full_like(labels, 255), mean, variance)
    assert loss == 0 and loss.requires_grad
    assert not torch.autograd.grad(loss, maps)[0].any()


def test_untrained_statistics_cannot_tell_classes():
    maps, labels, mean, variance = case()
    loss = contrastive_bound(maps, labels, torch.zeros_like(mean), torch.zeros_like(variance))
    assert loss.item() == pytest.approx(math.log(CLASSES))


def test_ignored_pixels_and_the_order_of_pixels_do_not_matter():
    maps, labels, mean, variance = case(1)
    loss = contrastive_bound(maps, labels, mean, variance, 1.0)
    order = torch.randperm(labels[0].numel(), generator=torch.Generator().manual_seed(0))
    shuffled = [value.flatten(-2)[..., order].view_as(value) for value in (maps, labels)]
    torch.testing.assert_close(contrastive_bound(*shuffled, mean, variance, 1.0), loss)
    torch.testing.assert_close(contrastive_bound(maps.flip(0), labels.flip(0), mean, variance, 1.0), loss)

    other = torch.where((labels == 255)[:, None], torch.full_like(maps, 50.0), maps).requires_grad_()
    loss_of_other = contrastive_bound(other, labels, mean, variance, 1.0)
    torch.testing.assert_close(loss_of_other, loss)
    (gradient,) = torch.autograd.grad(loss_of_other, other)
    assert not gradient.movedim(1, -1)[labels == 255].any() and gradient.movedim(1, -1)[labels != 255].any(dim=-1).all()

    for index in (-1, 4):
        chosen = labels.masked_fill(labels == 4, 255)  # so that the index 4 is free
        torch.testing.assert_close(
            contrastive_bound(maps, chosen.masked_fill(chosen == 255, index), mean, variance, 1.0, ignore_index=index),
            contrastive_bound(maps, chosen, mean, variance, 1.0),
        )


def test_statistics_are_constants():
    maps, labels, mean, variance = case()
    mean.requires_grad_(), variance.requires_grad_()
    contrastive_bound(maps.requires_grad_(), labels, mean, variance).backward()
    assert mean.grad is None and variance.grad is None and maps.grad.any()


@pytest.mark.parametrize('length', [1.0, 1e3])
def test_autocast(length):
    """The loss is computed in float32, for features of any precision and within autocast."""
    maps, labels, mean, variance = case(2)
    half = (maps * length).bfloat16().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        loss = contrastive_bound(half, labels, mean, variance)
    loss.backward()
    assert loss.dtype == torch.float32 and half.grad.dtype == torch.bfloat16
    assert half.grad.isfinite().all() and half.grad.any()
    assert loss == contrastive_bound(half.detach().float(), labels, mean, variance)


class LargestTensor(TorchDispatchMode):
    """The largest number of bytes of any result."""

    def __init__(self) -> None:
        super().__init__()
        self.nbytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(value, torch.Tensor):
                self.nbytes = max(self.nbytes, value.untyped_storage().nbytes())
        return out


def test_memory():
    """No tensor is larger than the features. One with classes x channels x pixels would need 4.4 GB here."""
    classes, channels, shape = 256, 512, (2, 64, 66)
    maps, labels, mean, variance = case(0, classes=classes, channels=channels, shape=shape)
    assert classes * maps.numel() * 4 > 4 << 30
    maps.requires_grad_()
    with LargestTensor() as largest:
        ClassStatistics(classes, channels).update(maps, labels)
        contrastive_bound(maps, labels, mean, variance).backward()
    assert maps.grad.any() and largest.nbytes == maps.numel() * 4

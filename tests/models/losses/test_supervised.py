"""Cross-entropy with ignored pixels."""

import numpy as np
import torch

from mmuda.models.losses import cross_entropy, supervised


def test_cross_entropy_of_nothing_is_a_differentiable_zero():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(logits.grad).all() and logits.grad.abs().sum() == 0


def test_cross_entropy_ignores_negative_labels():
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.tensor([[[0, -1], [255, 2]]])
    log_p = logits.log_softmax(1)
    wanted = -(log_p[0, 0, 0, 0] + log_p[0, 2, 1, 1]) / 2
    np.testing.assert_allclose(cross_entropy(logits, labels), wanted, rtol=1e-6)


def test_cross_entropy_in_deterministic_mode_is_the_same(monkeypatch):
    logits = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.arange(30).view(2, 3, 5) % 6
    labels[labels == 5] = 255
    labels[labels == 4] = -1
    found = []
    for refused in (False, True):
        monkeypatch.setattr(supervised, 'has_no_deterministic_kernel', lambda _, refused=refused: refused)
        losses = [
            cross_entropy(logits, labels),
            supervised.pixel_cross_entropy(logits, labels, torch.full(labels.shape, 0.3), 'all'),
        ]
        found.append([*losses, *torch.autograd.grad(sum(losses), logits)])
    torch.testing.assert_close(found[1], found[0])

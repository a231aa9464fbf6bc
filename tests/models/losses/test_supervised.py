"""Cross-entropy with ignored pixels."""

import numpy as np
import torch

from mmuda.models.losses import cross_entropy


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

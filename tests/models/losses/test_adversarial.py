"""Losses on the scores of a discriminator."""

import pytest
import torch
import torch.nn.functional as F

from mmuda.models.losses import GAN_LOSSES, SOURCE, TARGET


@pytest.mark.parametrize('domain', [SOURCE, TARGET])
@pytest.mark.parametrize('gan', ['vanilla', 'least_squares'])
def test_loss_and_gradient_are_those_of_a_map_of_labels(gan, domain):
    scores = (10 * torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(0))).requires_grad_()
    labels = torch.full_like(scores, domain)
    reference = dict(vanilla=F.binary_cross_entropy_with_logits, least_squares=F.mse_loss)[gan](scores, labels)
    loss = GAN_LOSSES[gan](scores, domain)
    torch.testing.assert_close(loss, reference)
    torch.testing.assert_close(*(torch.autograd.grad(value, scores)[0] for value in (loss, reference)))


@pytest.mark.parametrize('gan', ['vanilla', 'least_squares'])
def test_half_precision_scores(gan):
    half = torch.randn(2, 1, 3, 4).bfloat16()
    assert GAN_LOSSES[gan](half, TARGET).dtype == torch.float32
    torch.testing.assert_close(GAN_LOSSES[gan](half, TARGET), GAN_LOSSES[gan](half.float(), TARGET))

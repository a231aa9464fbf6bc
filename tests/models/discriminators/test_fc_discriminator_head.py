"""The discriminator of AdaptSegNet and ADVENT."""

import pytest
import torch

from mmuda.models import FCDiscriminatorHead


def test_discriminator_size_and_limit():
    critic = FCDiscriminatorHead(19)
    assert sum(p.numel() for p in critic.parameters()) == 2781121  # the number of the original code
    assert critic(torch.zeros(1, 19, 64, 100)).shape == (1, 1, 2, 3)
    with pytest.raises(ValueError, match='at least 32 pixels'):
        critic(torch.zeros(1, 19, 31, 64))

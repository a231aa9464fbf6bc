"""MinEnt: the entropy of target predictions at every level."""

import pytest
import torch
from toolbox import prepared, tiny_adaptor, wrappers_of

from mmuda.models.losses import entropy_loss


@pytest.mark.parametrize('two_levels', [True, False])
def test_the_losses(batch, two_levels):
    adaptor = tiny_adaptor('MinEnt', two_levels).train()
    data = prepared(adaptor, batch)
    (_, supervised), (name, losses) = adaptor.adapt(data['source'], data['target'])
    outputs = adaptor.segment(data['target'])
    weights = dict(aux=0.0002, main=0.001) if two_levels else dict(main=0.001)
    assert name == 'segmentor' and set(supervised) == {f'loss_seg_{level}' for level in weights}
    torch.testing.assert_close(
        losses,
        {f'loss_ent_{level}': weight * entropy_loss(outputs.upsample(level)) for level, weight in weights.items()},
    )
    logs = adaptor.train_step(batch, wrappers_of(adaptor, lr=0.0))
    for level in weights:
        torch.testing.assert_close(logs[f'loss_ent_{level}'], entropy_loss(outputs.upsample(level)).detach())

"""Source-only training and AdaBN: the networks that target images change."""

import pytest
import torch
from toolbox import pair_batch, tiny_adaptor, wrappers_of


def trained(kind: str, target_seed: int) -> dict:
    """Return the state after a step with one of two target batches."""
    adaptor = tiny_adaptor(kind).train()
    adaptor.train_step(dict(pair_batch(), target=pair_batch(seed=target_seed)['target']), wrappers_of(adaptor))
    return adaptor.state_dict()


def test_the_target_is_never_forwarded():
    one, other = (trained('SourceOnly', seed) for seed in (0, 99))
    assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_only_batch_norm_of_adabn_sees_the_target():
    one, other, blind = trained('AdaBN', 0), trained('AdaBN', 99), trained('SourceOnly', 0)
    differing = [key for key in one if not torch.equal(one[key], other[key])]
    assert differing and all('running' in key for key in differing)
    assert all(torch.equal(blind[key], one[key]) for key in one if 'running' not in key and 'num_batches' not in key)


@pytest.mark.parametrize('kind', ['SourceOnly', 'AdaBN'])
def test_the_weights_are_those_of_the_config(kind, batch):
    adaptor = tiny_adaptor(kind, loss_weights=dict(lov_main=0.75)).train()
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    assert set(logs) == {'loss_seg_aux', 'loss_seg_main', 'loss_lov_main'}
    assert adaptor.loss_weights == dict(seg_main=1.0, seg_aux=0.1, lov_main=0.75)

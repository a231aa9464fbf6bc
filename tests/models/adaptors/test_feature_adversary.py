"""Adaptation of features: inputs of the discriminators, and the networks that each loss trains."""

import pytest
import torch
import torch.distributed as dist
from toolbox import pair_batch, prepared, tiny_adaptor, tiny_segmentor, two_stage_head, wrappers_of

from mmuda.engine import AdaptorDistributedDataParallel
from mmuda.models import frozen

SIZE = (264, 256)
"""(H, W), large enough for features at stride 8 that the discriminator halves five times."""
CHANNELS = dict(aux=16, main=32)


def critic(channels: int) -> dict:
    return dict(type='FCDiscriminatorHead', in_channels=channels, base_channels=2)


def adaptor_of(two_levels: bool = True, **kwargs):
    return tiny_adaptor(
        'FeatureAdversary',
        two_levels,
        discriminator=critic(CHANNELS['main']),
        aux_discriminator=critic(CHANNELS['aux']) if two_levels else None,
        **kwargs,
    ).train()


def batch_of() -> dict:
    batch = pair_batch(batch_size=1, size=SIZE)
    batch['target'] = pair_batch(seed=7, batch_size=1, size=SIZE)['source']
    for sample in batch['target']['data_samples']:
        del sample.gt_sem_seg
    return batch


def gradients(module) -> list:
    return [p.grad for p in module.parameters() if p.grad is not None]


@pytest.mark.parametrize('two_levels', [True, False])
def test_discriminators_see_what_the_heads_read(two_levels):
    adaptor = adaptor_of(two_levels)
    outputs = adaptor.segment(prepared(adaptor, batch_of())['source'])
    for level, head in adaptor.segmentor.heads().items():
        seen = adaptor.discriminator_input(outputs, level)
        assert seen is outputs.features[head.in_index]
        assert seen.shape == (1, CHANNELS[level], 34, 33) and seen.requires_grad


def test_the_adversarial_loss_reaches_the_backbone_alone():
    adaptor = adaptor_of()
    outputs = adaptor.forward_target(prepared(adaptor, batch_of())['target'])
    assert not outputs.logits
    with frozen(adaptor.discriminator, adaptor.aux_discriminator):
        losses = adaptor.adversarial_losses(outputs)
        sum(losses.values()).backward()
    assert set(losses) == {'loss_adv_aux', 'loss_adv_main'}
    for stage in (adaptor.segmentor.backbone.layer1, adaptor.segmentor.backbone.layer4):
        assert any(grad.abs().sum() > 0 for grad in gradients(stage))
    for module in (*adaptor.segmentor.heads().values(), adaptor.discriminator, adaptor.aux_discriminator):
        assert not gradients(module)


def test_the_auxiliary_level_does_not_reach_the_last_stage():
    adaptor = adaptor_of(loss_weights=dict(adv_main=0.0))
    with frozen(adaptor.discriminator, adaptor.aux_discriminator):
        losses = adaptor.adversarial_losses(adaptor.forward_target(prepared(adaptor, batch_of())['target']))
        losses['loss_adv_aux'].backward()
    assert not gradients(adaptor.segmentor.backbone.layer4) and gradients(adaptor.segmentor.backbone.layer3)


def test_discriminators_learn_from_detached_features():
    """Every pass that trains a discriminator gets features without a graph."""
    adaptor = adaptor_of()
    seen = []
    for name in ('aux_discriminator', 'discriminator'):
        getattr(adaptor, name).register_forward_pre_hook(
            lambda module, args, name=name: seen.append((name, args[0].requires_grad, tuple(args[0].shape)))
        )
    adaptor.train_step(batch_of(), wrappers_of(adaptor))
    aux, main = (1, 16, 34, 33), (1, 32, 34, 33)
    assert seen == [
        ('aux_discriminator', True, aux),
        ('discriminator', True, main),
        ('aux_discriminator', False, aux),
        ('aux_discriminator', False, aux),
        ('discriminator', False, main),
        ('discriminator', False, main),
    ]


@pytest.mark.parametrize('two_levels', [True, False])
@pytest.mark.parametrize('gan', ['vanilla', 'least_squares'])
def test_a_step_trains_every_child(two_levels, gan):
    adaptor = adaptor_of(two_levels, gan=gan)
    before = {name: value.clone() for name, value in adaptor.named_parameters()}
    logs = adaptor.train_step(batch_of(), wrappers_of(adaptor))
    moved = {name.split('.')[0] for name, value in adaptor.named_parameters() if not torch.equal(before[name], value)}
    assert moved == {'segmentor', 'discriminator', *(['aux_discriminator'] if two_levels else [])}
    levels = ('aux', 'main') if two_levels else ('main',)
    assert set(logs) == {
        f'loss_{part}'
        for level in levels
        for part in (f'seg_{level}', f'adv_{level}', f'dis_{level}_source', f'dis_{level}_target')
    }
    assert all(torch.isfinite(value) for value in logs.values())


def test_heads_learn_from_the_source_alone():
    """The adversarial loss changes the backbone but not the heads."""
    weights = {}
    for weight in (0.0, 10.0):
        adaptor = adaptor_of(two_levels=False, loss_weights=dict(adv_main=weight))
        adaptor.train_step(batch_of(), wrappers_of(adaptor))
        weights[weight] = adaptor.segmentor.state_dict()
    differing = {key.split('.')[0] for key in weights[0.0] if not torch.equal(weights[0.0][key], weights[10.0][key])}
    assert differing == {'backbone'}


@pytest.fixture
def process_group():
    """Create a process group with this process alone."""
    dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_a_distributed_wrapper_does_not_wait_for_the_heads(process_group):
    """The distributed wrapper gives the same weights as the plain adaptor, and no gradient stays unreduced."""
    plain, model = adaptor_of(), AdaptorDistributedDataParallel(adaptor_of())
    for adaptor in (plain, model):
        wrappers = wrappers_of(getattr(adaptor, 'module', adaptor))
        for _ in range(3):
            adaptor.train_step(batch_of(), wrappers)
    for key, value in model.module.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[key])


def test_a_head_of_several_stages_is_refused():
    segmentor = tiny_segmentor(two_levels=False)
    segmentor.decode_head = two_stage_head()
    with pytest.raises(ValueError, match=r'in_index of the main head is \(2, 3\): choose a head of one stage'):
        adaptor_of(two_levels=False, segmentor=segmentor)

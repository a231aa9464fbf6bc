"""The adversarial iteration in the output space: inputs of the discriminators, and gradients of each loss."""

import pytest
import torch
from toolbox import pair_batch, prepared, tiny_adaptor, tiny_segmentor, wrappers_of

from mmuda.models import frozen
from mmuda.models.losses import SOURCE, TARGET, self_information

KINDS = ('ADVENT', 'AdaptSegNet')


@pytest.mark.parametrize('kind', KINDS)
def test_discriminators_see_maps_of_upsampled_predictions(kind, batch):
    adaptor = tiny_adaptor(kind).train()
    outputs = adaptor.segment(prepared(adaptor, batch)['source'])
    for level in ('aux', 'main'):
        logits = outputs.upsample(level)
        wanted = logits.softmax(dim=1) if kind == 'AdaptSegNet' else self_information(logits)
        assert torch.equal(adaptor.discriminator_input(outputs, level), wanted)
        detached = adaptor.detach_outputs(outputs)
        assert torch.equal(adaptor.discriminator_input(detached, level), wanted)
    assert not detached.features and not detached.logits['main'].requires_grad, (
        'features, which need much memory, must not be kept'
    )


@pytest.mark.parametrize('kind', KINDS)
def test_the_order_of_an_iteration(kind, batch):
    adaptor = tiny_adaptor(kind).train()
    data = prepared(adaptor, batch)
    parts = []
    for name, losses in adaptor.adapt(data['source'], data['target']):
        adaptor.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        reached = {
            child
            for child, module in adaptor.named_children()
            if any(p.grad is not None and p.grad.any() for p in module.parameters())
        }
        assert reached == {name}
        parts.append((name, list(losses)))
    assert parts == [
        ('segmentor', ['loss_seg_aux', 'loss_seg_main']),
        ('segmentor', ['loss_adv_aux', 'loss_adv_main']),
        ('aux_discriminator', ['loss_dis_aux_source']),
        ('aux_discriminator', ['loss_dis_aux_target']),
        ('discriminator', ['loss_dis_main_source']),
        ('discriminator', ['loss_dis_main_target']),
    ]


@pytest.mark.parametrize('gan', ['vanilla', 'least_squares'])
def test_the_losses(gan, batch):
    adaptor = tiny_adaptor('AdaptSegNet', two_levels=False, gan=gan).train()
    outputs = adaptor.segment(prepared(adaptor, batch)['target'])
    scores = adaptor.discriminator(outputs.upsample('main').softmax(dim=1))

    def loss(domain: float) -> torch.Tensor:
        if gan == 'least_squares':
            return (scores - domain).square().mean()
        return torch.nn.functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, domain))

    with frozen(adaptor.discriminator):
        torch.testing.assert_close(adaptor.adversarial_losses(outputs), dict(loss_adv_main=0.001 * loss(SOURCE)))
    for name, domain in dict(source=SOURCE, target=TARGET).items():
        torch.testing.assert_close(
            adaptor.discriminator_losses('main', outputs, domain), {f'loss_dis_main_{name}': loss(domain) / 2}
        )


def test_levels_and_discriminators_must_match():
    with pytest.raises(ValueError, match='every level needs its discriminator'):
        tiny_adaptor('ADVENT', two_levels=True, aux_discriminator=None)
    with pytest.raises(ValueError, match='every level needs its discriminator'):
        tiny_adaptor('ADVENT', segmentor=tiny_segmentor(two_levels=False))


def test_several_auxiliary_heads_are_refused():
    segmentor = tiny_segmentor()
    segmentor.auxiliary_head = [segmentor.auxiliary_head, dict(segmentor.auxiliary_head)]
    with pytest.raises(ValueError, match='segmentor.auxiliary_head is a list, expected one auxiliary head'):
        tiny_adaptor('ADVENT', segmentor=segmentor)


def test_unknown_gan_is_an_error():
    with pytest.raises(ValueError, match="gan='wgan'"):
        tiny_adaptor('AdaptSegNet', gan='wgan')


def test_a_step_changes_no_weight_before_the_last_part():
    """Discriminators get outputs of the segmentor before its step, since all optimizers step at the end."""
    adaptor = tiny_adaptor('ADVENT').train()
    before = {name: value.clone() for name, value in adaptor.named_parameters()}
    changed = []
    adaptor.discriminator.register_forward_pre_hook(
        lambda *_: changed.extend(name for name, p in adaptor.named_parameters() if not torch.equal(before[name], p))
    )
    adaptor.train_step(pair_batch(), wrappers_of(adaptor))
    assert not changed
    assert all(
        not torch.equal(before[name], p) for name, p in adaptor.discriminator.named_parameters(prefix='discriminator')
    )

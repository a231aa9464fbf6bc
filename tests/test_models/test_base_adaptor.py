"""What every method can rely on: update order, freezing, logging, inference."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from toolbox import optim_cfg, pair_batch, tiny_adaptor, tiny_segmentor
from torch import nn

from mmuda.engine import PerModuleOptimWrapperConstructor
from mmuda.models import BaseAdaptor, frozen


def wrappers_of(adaptor, **kwargs):
    return PerModuleOptimWrapperConstructor(optim_cfg(adaptor, **kwargs))(adaptor)


def weights_of(module: nn.Module) -> dict:
    return {name: value.clone() for name, value in module.state_dict().items()}


class TwoPart(BaseAdaptor):
    """Yields twice for the segmentor and records what has happened in between."""

    events = []

    def adapt(self, source, target):
        losses = self.supervised_losses(self.segment(source), source)
        yield 'segmentor', losses
        parameter = self.segmentor.decode_head.branches[0].weight
        self.events.append(('gradient before the second part', parameter.grad is not None))
        self.events.append(('weight before the second part', parameter.detach().clone()))
        self.log(loss_that_is_only_shown=torch.tensor(7.0))
        yield 'segmentor', {'zero': 0.0 * self.segment(target).logits['main'].sum()}


def two_part():
    adaptor = tiny_adaptor('SourceOnly')
    adaptor.__class__ = TwoPart
    adaptor.events = []
    return adaptor.train()


def test_parts_are_back_propagated_before_the_next_one_and_stepped_once(batch):
    adaptor = two_part()
    before = adaptor.segmentor.decode_head.branches[0].weight.detach().clone()
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    (_, has_gradient), (_, weight) = adaptor.events
    assert has_gradient
    assert torch.equal(weight, before), 'no optimizer may step between two parts'
    assert not torch.equal(adaptor.segmentor.decode_head.branches[0].weight, before)
    assert all(p.grad is None for p in adaptor.parameters()), 'gradients are cleared after the step'
    assert not any(value.requires_grad for value in logs.values())


def test_a_logged_value_is_not_optimised_whatever_its_name(batch):
    plain, chatty = two_part(), two_part()
    plain.log = lambda **values: None
    plain.weigh = lambda losses: BaseAdaptor.weigh(plain, losses)
    logs = chatty.train_step(batch, wrappers_of(chatty))
    plain.train_step(pair_batch(), wrappers_of(plain))
    assert logs['loss_that_is_only_shown'] == 7.0
    for a, b in zip(plain.state_dict().values(), chatty.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_log_shows_the_unweighted_loss(batch):
    adaptor = tiny_adaptor('SourceOnly', loss_weights=dict(seg_main=0.5, seg_aux=0.25)).train()
    source = adaptor.data_preprocessor(batch, training=True)['source']
    outputs = adaptor.segment(source)
    weighted = adaptor.supervised_losses(outputs, source)
    for level, weight in (('main', 0.5), ('aux', 0.25)):
        raw = adaptor._logged[f'loss_seg_{level}']
        assert raw > 0
        torch.testing.assert_close(weighted[f'loss_seg_{level}'], raw * weight)


def test_frozen_lets_gradients_through_but_not_in():
    critic = nn.Conv2d(3, 1, 1)
    images = torch.rand(1, 3, 4, 4, requires_grad=True)
    with frozen(critic, None):
        critic(images).sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    assert critic.weight.grad is None
    assert critic.weight.requires_grad and critic.bias.requires_grad


def test_frozen_leaves_what_was_frozen_before():
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3).requires_grad_(False))
    with pytest.raises(RuntimeError, match='inside'), frozen(module):
        raise RuntimeError('inside')
    assert module[0].weight.requires_grad and not module[1].weight.requires_grad


def test_a_frozen_child_stays_in_eval_mode(batch):
    adaptor = tiny_adaptor('SourceOnly')
    adaptor.teacher = nn.Sequential(nn.BatchNorm2d(3))
    adaptor.freeze('teacher')
    adaptor.train()
    assert adaptor.segmentor.training and not adaptor.teacher.training and not adaptor.teacher[0].training
    # It has no optimizer, and the constructor does not ask for one.
    assert list(wrappers_of(adaptor).keys()) == ['segmentor']


def test_unknown_loss_weight_is_an_error():
    with pytest.raises(ValueError, match="unknown loss_weights .*'adv_mian'"):
        tiny_adaptor('ADVENT', loss_weights=dict(adv_mian=1.0))


def yielding(*parts):
    """An adaptor that yields these parts, made from (adaptor, source outputs)."""
    adaptor = tiny_adaptor('ADVENT').train()

    def adapt(source, target):
        for part in parts:
            yield part(adaptor, adaptor.segment(source))

    adaptor.adapt = adapt
    return adaptor


@pytest.mark.parametrize(
    'name, losses, message',
    [
        ('discriminater', lambda: dict(a=torch.zeros(())), "yielded 1 losses for 'discriminater'.*'segmentor'"),
        ('segmentor', dict, "yielded 0 losses for 'segmentor'"),
    ],
)
def test_parts_that_make_no_sense_are_errors(batch, name, losses, message):
    adaptor = yielding(lambda adaptor, outputs: (name, losses()))
    with pytest.raises(ValueError, match=message):
        adaptor.train_step(batch, wrappers_of(adaptor))


def test_a_forgotten_detach_or_frozen_is_found(batch):
    def seg(adaptor, outputs):
        return 'segmentor', dict(loss=outputs.logits['main'].square().mean())

    def critic(adaptor, outputs):
        return 'discriminator', dict(loss=adaptor.discriminator(outputs.upsample('main')).mean())

    def critic_of_segmentor(adaptor, outputs):
        return 'segmentor', dict(loss=adaptor.discriminator(outputs.upsample('main')).mean())

    for parts, reached in (((seg, critic), 'segmentor'), ((critic_of_segmentor,), 'discriminator')):
        adaptor = yielding(*parts)
        with pytest.raises(RuntimeError, match=f'also reach the weights of {reached}'):
            adaptor.train_step(pair_batch(), wrappers_of(adaptor))


@pytest.mark.parametrize(
    'head',
    [
        dict(loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4)),
        dict(sampler=dict(type='OHEMPixelSampler', thresh=0.7)),
    ],
)
def test_losses_of_a_head_that_would_be_ignored_are_errors(head):
    segmentor = tiny_segmentor()
    segmentor.decode_head.update(head)
    with pytest.raises(ValueError, match='decode_head: loss_decode and sampler of a head have no effect'):
        tiny_adaptor('SourceOnly', segmentor=segmentor)


def test_joint_loss_is_refused(batch):
    with pytest.raises(RuntimeError, match='no joint loss'):
        tiny_adaptor('SourceOnly')(torch.zeros(1, 3, 32, 32), mode='loss')


def test_prediction_goes_straight_to_the_segmentor(batch):
    adaptor = tiny_adaptor('ADVENT').eval()
    with torch.no_grad():
        (first, second) = adaptor.test_step(
            dict(inputs=batch['source']['inputs'], data_samples=batch['source']['data_samples'])
        )
        tensor = adaptor(torch.zeros(1, 3, 40, 56))
    assert first.pred_sem_seg.data.shape == (1, 40, 56)
    assert first.seg_logits.data.shape == (4, 40, 56)
    assert tensor.shape == (1, 4, 6, 8)  # the stem pool rounds up
    assert adaptor.num_classes == adaptor.out_channels == 4 and adaptor.align_corners


def test_source_only_never_forwards_the_target_and_adabn_does(batch):
    def norms(adaptor):
        return {k: v for k, v in weights_of(adaptor).items() if 'running' in k}

    blind, adabn = (tiny_adaptor(kind).train() for kind in ('SourceOnly', 'AdaBN'))
    other = dict(batch, target=pair_batch(seed=99)['target'])
    statistics = {}
    for name, adaptor in (('blind', blind), ('adabn', adabn)):
        start = adaptor.state_dict()
        start = {key: value.clone() for key, value in start.items()}
        for target, data in (('one', pair_batch()), ('other', dict(pair_batch(), target=other['target']))):
            adaptor.load_state_dict(start)
            adaptor.train_step(data, wrappers_of(adaptor))
            statistics[name, target] = weights_of(adaptor)
    assert all(torch.equal(statistics['blind', 'one'][k], v) for k, v in statistics['blind', 'other'].items())
    differing = [
        k for k, v in statistics['adabn', 'other'].items() if not torch.equal(statistics['adabn', 'one'][k], v)
    ]
    assert differing and all('running' in key for key in differing), 'only batch-norm may see the target'


@pytest.mark.parametrize('kind', ['ADVENT', 'AdaptSegNet', 'MinEnt'])
@pytest.mark.parametrize('two_levels', [True, False])
def test_methods_train_every_child(kind, two_levels, batch):
    adaptor = tiny_adaptor(kind, two_levels).train()
    before = weights_of(adaptor)
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    for name, child in adaptor.named_children():
        if any(True for _ in child.parameters()):
            assert any(not torch.equal(before[f'{name}.{key}'], value) for key, value in child.named_parameters()), name
    assert all(torch.isfinite(value) for value in logs.values())
    assert ('loss_seg_aux' in logs) == two_levels


def test_levels_and_discriminators_must_match():
    with pytest.raises(ValueError, match='every level needs its discriminator'):
        tiny_adaptor('ADVENT', two_levels=True, aux_discriminator=None)


def test_unknown_gan_is_an_error():
    with pytest.raises(ValueError, match="gan='wgan'"):
        tiny_adaptor('AdaptSegNet', gan='wgan')


def test_several_auxiliary_heads_share_a_weight(batch):

    segmentor = tiny_segmentor()
    segmentor.auxiliary_head = [segmentor.auxiliary_head, dict(segmentor.auxiliary_head)]
    adaptor = MODELS.build(
        ConfigDict(type='SourceOnly', segmentor=segmentor, data_preprocessor=dict(type='DomainPairPreprocessor'))
    ).train()
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    assert {'loss_seg_aux_0', 'loss_seg_aux_1', 'loss_seg_main'} <= set(logs)

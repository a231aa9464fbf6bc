"""BaseAdaptor: the order of updates, loss weights, logging, frozen children."""

import pytest
import torch
from mmengine.structures import PixelData
from toolbox import pair_batch, prepared, side, tiny_adaptor, tiny_segmentor, wrappers_of
from torch import nn

from mmuda.models import ADVENT, BaseAdaptor
from mmuda.models.labels import labels_of
from mmuda.models.losses import cross_entropy


class TwoPart(BaseAdaptor):
    """A method that yields twice for the segmentor and records gradients and weights in between."""

    def __init__(self, *args, chatty: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.chatty, self.events = chatty, []

    def adapt(self, source, target):
        yield 'segmentor', self.supervised_losses(self.segment(source), source)
        parameter = self.segmentor.decode_head.branches[0].weight
        self.events.append((parameter.grad is not None, parameter.detach().clone()))
        if self.chatty:
            self.log(loss_that_is_only_shown=torch.tensor(7.0))
        yield 'segmentor', {'zero': 0.0 * self.segment(target).logits['main'].sum()}


def test_parts_are_back_propagated_before_the_next_one_and_stepped_once(batch):
    adaptor = tiny_adaptor(TwoPart).train()
    before = adaptor.segmentor.decode_head.branches[0].weight.detach().clone()
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    ((has_gradient, weight),) = adaptor.events
    assert has_gradient
    assert torch.equal(weight, before), 'no optimizer may step between two parts'
    assert not torch.equal(adaptor.segmentor.decode_head.branches[0].weight, before)
    assert all(p.grad is None for p in adaptor.parameters()), 'gradients must be cleared after the step'
    assert not any(value.requires_grad for value in logs.values())


def test_a_logged_value_is_not_optimised_whatever_its_name(batch):
    plain, chatty = (tiny_adaptor(TwoPart, chatty=chatty).train() for chatty in (False, True))
    logs = chatty.train_step(batch, wrappers_of(chatty))
    plain.train_step(pair_batch(), wrappers_of(plain))
    assert logs['loss_that_is_only_shown'] == 7.0
    for a, b in zip(plain.state_dict().values(), chatty.state_dict().values(), strict=True):
        assert torch.equal(a, b)


# Loss weights.


class Terms(BaseAdaptor):
    """A method with terms that have levels and terms without levels."""

    LOSS_WEIGHTS = dict(seg_main=1.0, seg_aux=0.1, adv=0.5, ent_main=2.0, ent_aux=3.0, feat=0.25, ent_aux_1=7.0)

    def __init__(self, *args, losses=None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.losses = losses

    def adapt(self, source, target):
        zero = 0.0 * self.segment(source).logits['main'].sum()
        yield 'segmentor', {name: loss + zero for name, loss in self.losses(self).items()}


def three_levels() -> dict:
    segmentor = tiny_segmentor()
    segmentor.auxiliary_head = [segmentor.auxiliary_head, dict(segmentor.auxiliary_head)]
    return segmentor


ONE, TWO = torch.tensor(1.0), torch.tensor(2.0)


@pytest.mark.parametrize(
    'arguments, weighted, shown',
    [
        (('adv', TWO), {'loss_adv': 1.0}, {'loss_adv': 2.0}),
        (
            ('ent', dict(aux=ONE, main=TWO)),
            {'loss_ent_aux': 3.0, 'loss_ent_main': 4.0},
            {'loss_ent_aux': 1.0, 'loss_ent_main': 2.0},
        ),
        (('feat', TWO, 'source'), {'loss_feat_source': 0.5}, {'loss_feat_source': 2.0}),
        (('ent', dict(main=ONE), 'target'), {'loss_ent_main_target': 2.0}, {'loss_ent_main_target': 1.0}),
    ],
)
def test_weigh_logs_a_loss_and_returns_it_times_its_weight(batch, arguments, weighted, shown):
    found = {}

    def losses(adaptor) -> dict:
        found.update(adaptor.weigh(*arguments))
        return found

    adaptor = tiny_adaptor(Terms, losses=losses).train()
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    assert {name: value.item() for name, value in found.items()} == weighted
    assert {name: value.item() for name, value in logs.items()} == shown


def test_several_auxiliary_levels_share_a_weight_unless_they_have_their_own():
    adaptor = tiny_adaptor(Terms, segmentor=three_levels())
    weighted = adaptor.weigh('ent', dict(aux_0=ONE, aux_1=ONE, main=ONE))
    assert weighted == dict(loss_ent_aux_0=3.0, loss_ent_aux_1=7.0, loss_ent_main=2.0)
    assert adaptor.loss_weight('seg', 'aux_1') == 0.1 and adaptor.loss_weight('adv') == 0.5


def test_losses_by_name_are_still_weighed():
    adaptor = tiny_adaptor(Terms, segmentor=three_levels())
    by_name = dict(loss_adv=TWO, loss_ent_main=ONE, loss_ent_aux=ONE, loss_ent_aux_0=ONE, loss_ent_aux_1=ONE)
    with pytest.warns(FutureWarning, match="is deprecated: write weigh\\('<term>', {level: loss}\\)"):
        weighted = adaptor.weigh(by_name)
    assert weighted == dict(loss_adv=1.0, loss_ent_main=2.0, loss_ent_aux=3.0, loss_ent_aux_0=3.0, loss_ent_aux_1=7.0)
    with pytest.warns(FutureWarning), pytest.raises(KeyError, match=r"no loss weights for \['loss_mine'\], known are"):
        adaptor.weigh(dict(loss_mine=ONE))


@pytest.mark.parametrize('losses, key', [(ONE, 'mine'), (dict(main=ONE), 'mine_main'), (dict(aux_0=ONE), 'mine_aux')])
def test_a_term_without_a_weight_is_an_error(losses, key):
    adaptor = tiny_adaptor(Terms, segmentor=three_levels())
    with pytest.raises(KeyError, match=f"Terms has no loss weight '{key}', known are .*: add it to LOSS_WEIGHTS"):
        adaptor.weigh('mine', losses)


def test_unknown_loss_weight_is_an_error():
    with pytest.raises(ValueError, match="unknown loss_weights .*'adv_mian'"):
        tiny_adaptor('ADVENT', loss_weights=dict(adv_mian=1.0))


def test_every_level_of_the_segmentor_may_have_its_weight():
    adaptor = tiny_adaptor(Terms, segmentor=three_levels(), loss_weights=dict(ent_aux_0=5.0))
    assert adaptor.weigh('ent', dict(aux_0=ONE)) == dict(loss_ent_aux_0=5.0)
    with pytest.raises(ValueError, match="unknown loss_weights .*'ent_aux_7'.*known are .*'ent_aux_1'"):
        tiny_adaptor(Terms, segmentor=three_levels(), loss_weights=dict(ent_aux_7=5.0))


def test_weights_that_change_during_training_count():
    adaptor = tiny_adaptor(Terms)
    adaptor.loss_weights['adv'] = 10.0
    assert adaptor.weigh('adv', ONE) == dict(loss_adv=10.0)


# Supervised losses.


def test_supervised_losses_are_weighted_and_shown_unweighted(batch):
    adaptor = tiny_adaptor('SourceOnly', loss_weights=dict(seg_main=0.5, seg_aux=0.25)).train()
    source = prepared(adaptor, batch)['source']
    outputs = adaptor.segment(source)
    weighted = adaptor.supervised_losses(outputs, source)
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    for level, weight in (('main', 0.5), ('aux', 0.25)):
        raw = cross_entropy(outputs.upsample(level), labels_of(source))
        assert raw > 0
        torch.testing.assert_close(weighted[f'loss_seg_{level}'], raw * weight)
        torch.testing.assert_close(logs[f'loss_seg_{level}'], raw.detach())


def test_supervised_losses_of_several_auxiliary_heads(batch):
    adaptor = tiny_adaptor('SourceOnly', segmentor=three_levels()).train()
    source = prepared(adaptor, batch)['source']
    outputs = adaptor.segment(source)
    weighted = adaptor.supervised_losses(outputs, source)
    assert list(weighted) == ['loss_seg_aux_0', 'loss_seg_aux_1', 'loss_seg_main']
    for level in ('aux_0', 'aux_1'):
        torch.testing.assert_close(
            weighted[f'loss_seg_{level}'], 0.1 * cross_entropy(outputs.upsample(level), labels_of(source))
        )
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    assert set(logs) == set(weighted)


def test_labels_at_the_stride_of_the_network(batch):
    """Labels sampled at the stride are compared with logits without upsampling; labels of other sizes are refused."""
    adaptor = tiny_adaptor('SourceOnly', two_levels=False).train()
    source = prepared(adaptor, batch)['source']
    outputs = adaptor.segment(source)
    full = adaptor.supervised_losses(outputs, source)['loss_seg_main']
    size = outputs.logits['main'].shape[-2:]
    for sample in source['data_samples']:
        sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[:, 4:][:, : size[0], : size[1]])
    sampled = adaptor.supervised_losses(outputs, source)['loss_seg_main']
    wanted = nn.functional.cross_entropy(outputs.logits['main'], labels_of(source), ignore_index=255)
    torch.testing.assert_close(sampled, wanted)
    assert full != sampled
    for sample in source['data_samples']:
        sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[:, 1:])
    with pytest.raises(
        ValueError, match=r'label maps are \(5, 8\), but the main logits are \(6, 8\) and the images \(40, 56\)'
    ):
        adaptor.supervised_losses(outputs, source)


# Children.


def test_a_frozen_child_stays_in_eval_mode():
    adaptor = tiny_adaptor('SourceOnly')
    adaptor.teacher = nn.Sequential(nn.BatchNorm2d(3))
    adaptor.freeze('teacher')
    adaptor.train()
    assert adaptor.segmentor.training and not adaptor.teacher.training and not adaptor.teacher[0].training
    # The frozen child has no optimizer, and the constructor does not require one.
    assert list(wrappers_of(adaptor).keys()) == ['segmentor']


@pytest.mark.parametrize('options', [dict(train_cfg=dict()), dict(pretrained='file.pth')])
def test_settings_of_a_segmentor_are_refused(options):
    with pytest.raises(ValueError, match='takes no train_cfg and no pretrained: set them in segmentor'):
        tiny_adaptor('SourceOnly', **options)


# Invalid parts and batches.


class Yielding(ADVENT):
    """A method that yields a given part."""

    def __init__(self, *args, part, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.part = part

    def adapt(self, source, target):
        yield self.part


@pytest.mark.parametrize(
    'part, message',
    [
        (('discriminater', dict(a=ONE)), "yielded 1 losses for 'discriminater'.*'segmentor'"),
        (('segmentor', {}), "yielded 0 losses for 'segmentor'"),
    ],
)
def test_parts_that_make_no_sense_are_errors(batch, part, message):
    critic = dict(type='FCDiscriminatorHead', in_channels=4, base_channels=2)
    adaptor = tiny_adaptor(Yielding, discriminator=critic, aux_discriminator=critic, part=part).train()
    with pytest.raises(ValueError, match=message):
        adaptor.train_step(batch, wrappers_of(adaptor))


@pytest.mark.parametrize('kind', ['SourceOnly', 'AdaBN', 'MinEnt', 'ADVENT'])
@pytest.mark.parametrize('present', ['source', 'target'])
def test_methods_that_need_both_domains_say_so(kind, present):
    adaptor = tiny_adaptor(kind).train()
    message = rf"{kind} trains with images of both.*\['{present}'\].*a data set whose items are {{'source': ..., 'targ"
    with pytest.raises(ValueError, match=message):
        adaptor.train_step({present: side(1, True)}, wrappers_of(adaptor))


def test_a_plain_batch_is_an_error():
    adaptor = tiny_adaptor('SelfTraining').train()
    with pytest.raises(ValueError, match=r"source, target or both, but the batch has \['data_samples', 'inputs'\]"):
        adaptor.train_step(side(1, True), wrappers_of(adaptor))


# Several levels.


@pytest.mark.parametrize('kind', ['ADVENT', 'AdaptSegNet', 'MinEnt'])
@pytest.mark.parametrize('two_levels', [True, False])
def test_methods_train_every_child(kind, two_levels, batch):
    adaptor = tiny_adaptor(kind, two_levels).train()
    before = {name: value.clone() for name, value in adaptor.named_parameters()}
    logs = adaptor.train_step(batch, wrappers_of(adaptor))
    children = {name.split('.')[0] for name in before}
    moved = {name.split('.')[0] for name, value in adaptor.named_parameters() if not torch.equal(before[name], value)}
    assert moved == children and 'segmentor' in children
    assert all(torch.isfinite(value) for value in logs.values())
    assert ('loss_seg_aux' in logs) == two_levels

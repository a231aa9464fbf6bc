"""Losses that a config sets for heads."""

import copy

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from processes import run_on_processes
from toolbox import NUM_CLASSES, labelled_side, pair_batch, prepared, side, tiny_adaptor, tiny_segmentor, wrappers_of

from mmuda.engine import AdaptorDistributedDataParallel
from mmuda.models import BaseAdaptor
from mmuda.models.losses import cross_entropy

BALANCED = dict(type='CrossEntropyLoss', class_weight=[0.5, 1.0, 2.0, 4.0])
HARD = dict(sampler=dict(type='OHEMPixelSampler', thresh=0.3, min_kept=50))
SEVERAL = [dict(type='CrossEntropyLoss', avg_non_ignore=True), dict(type='DiceLoss', loss_weight=3.0)]
HEADS = dict(
    weights=dict(loss_decode=BALANCED),
    hard=HARD,
    dice=dict(loss_decode=dict(type='DiceLoss', loss_weight=0.5)),
    several=dict(loss_decode=SEVERAL),
)


def network(level: str = 'decode_head', **head) -> dict:
    segmentor = tiny_segmentor(two_levels=level != 'decode_head')
    segmentor[level].update(copy.deepcopy(head))
    return segmentor


def batch() -> dict:
    return copy.deepcopy(dict(source=labelled_side(1, 2), target=side(2, False)))


@pytest.mark.parametrize('name', HEADS)
def test_they_are_those_of_mmseg(name):
    adaptor = tiny_adaptor('SourceOnly', segmentor=network(**HEADS[name])).eval()
    logs = adaptor.train_step(batch(), wrappers_of(adaptor, lr=0.0))
    plain = MODELS.build({**network(**HEADS[name]), 'type': 'EncoderDecoder'}).eval()
    plain.load_state_dict(adaptor.segmentor.state_dict())
    source = prepared(adaptor, batch())['source']
    theirs = plain.loss(source['inputs'], source['data_samples'])
    losses = {key: value for key, value in theirs.items() if 'loss' in key}
    assert logs['loss_seg_main'].item() == pytest.approx(sum(losses.values()).item(), rel=1e-6)
    assert logs['acc_seg_main'].item() == theirs['decode.acc_seg'].item()
    if name == 'several':
        parts = {key.replace('decode.', '') + '_main': value.item() for key, value in losses.items()}
        assert len(parts) == 2 and {key: logs[key].item() for key in parts} == pytest.approx(parts)


def test_weights_of_levels_multiply_them():
    """The weights of levels multiply the losses of heads, both losses of the config and those of the method."""
    adaptor = tiny_adaptor('SourceOnly', segmentor=network('auxiliary_head', loss_decode=BALANCED)).eval()
    data = prepared(adaptor, batch())['source']
    outputs = adaptor.segment(data)
    losses = adaptor.supervised_losses(outputs, data)
    labels = torch.cat([sample.gt_sem_seg.data for sample in data['data_samples']])
    assert torch.equal(losses['loss_seg_main'], cross_entropy(outputs.upsample('main'), labels))
    weight = torch.tensor(BALANCED['class_weight'])
    mean = torch.nn.functional.cross_entropy(outputs.upsample('aux'), labels, weight, ignore_index=255, reduction='sum')
    mean = mean / weight[labels[labels != 255]].sum()
    torch.testing.assert_close(losses['loss_seg_aux'], 0.1 * mean)


@pytest.mark.parametrize('method', ['DACS', 'MinEnt'])
def test_other_methods_use_them(method):
    logs = []
    for head in ({}, HEADS['dice']):
        adaptor = tiny_adaptor(method, segmentor=network(**head)).train()
        logs.append(adaptor.train_step(batch(), wrappers_of(adaptor)))
    rest = {'loss_mix_main', 'loss_ent_main'} & set(logs[0])
    assert logs[0]['loss_seg_main'] != logs[1]['loss_seg_main'] and rest
    assert {key: logs[0][key] for key in rest} == {key: logs[1][key] for key in rest}, (
        'losses before the step must not depend on the loss of the head'
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason='tests an error on the CPU')
def test_the_focal_loss_needs_a_gpu():
    """A focal loss on the CPU is a clear error. The fault is in mmseg, which would raise an error about shapes."""
    loss = MODELS.build(dict(type='FocalLoss'))
    with pytest.raises((RuntimeError, ValueError), match='size'):
        loss(torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long))
    adaptor = tiny_adaptor('SourceOnly', segmentor=network(loss_decode=dict(type='FocalLoss')))
    with pytest.raises(ValueError, match="DeepLabV2Head: mmseg's FocalLoss fails on the CPU; train on a GPU"):
        adaptor.train_step(batch(), wrappers_of(adaptor))


def test_ignored_images_add_nothing():
    """Negative labels are ignored like 255."""
    adaptor = tiny_adaptor('SourceOnly', segmentor=network(loss_decode=BALANCED)).eval()
    data = prepared(adaptor, batch())['source']
    found = [adaptor.supervised_losses(adaptor.segment(data), data)['loss_seg_main']]
    for sample in data['data_samples']:
        label = sample.gt_sem_seg.data
        sample.gt_sem_seg = PixelData(data=label.masked_fill(label == 255, -1))
    found.append(adaptor.supervised_losses(adaptor.segment(data), data)['loss_seg_main'])
    assert torch.equal(*found)


@pytest.mark.parametrize('level', ['decode_head', 'auxiliary_head'])
@pytest.mark.parametrize('head', [dict(loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4)), HARD])
def test_a_method_with_a_loss_of_its_own_refuses_them(level, head):
    message = (
        f'{level}: loss_decode and sampler of a head have no effect here, because the supervised loss of '
        'SelfTraining is'
    )
    with pytest.raises(ValueError, match=message):
        tiny_adaptor('SelfTraining', segmentor=network(level, **head))


def test_class_weights_that_mmseg_cannot_average_are_refused():
    """Class weights with avg_non_ignore are refused, since mmseg would raise an IndexError in the first iteration."""
    loss = MODELS.build(dict(BALANCED, avg_non_ignore=True))
    with pytest.raises(IndexError):
        loss(torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2, dtype=torch.long))
    with pytest.raises(ValueError, match='decode_head.loss_decode: mmseg fails for class_weight with avg_non_ignore'):
        tiny_adaptor('SourceOnly', segmentor=network(loss_decode=dict(BALANCED, avg_non_ignore=True)))


class Stubborn(BaseAdaptor):
    """A method that computes its supervised loss without those of the heads."""

    def supervised_terms(self, level, logits, labels):
        return dict(seg=cross_entropy(logits, labels))

    def adapt(self, source, target):
        yield 'segmentor', self.supervised_losses(self.segment(source), source)


def test_a_method_that_does_not_look_at_them_ends_in_its_first_iteration():
    adaptor = tiny_adaptor(Stubborn, segmentor=network(loss_decode=BALANCED)).train()
    with pytest.raises(RuntimeError, match=r"Stubborn.adapt did not use the losses of the config.*\['main'\]"):
        adaptor.train_step(batch(), wrappers_of(adaptor))
    adaptor = tiny_adaptor(Stubborn, segmentor=network()).train()
    assert 'loss_seg_main' in adaptor.train_step(batch(), wrappers_of(adaptor))


# Heads that compute their loss in another way.


def with_boundaries(kind: str = 'SourceOnly', **options):
    """Build a method whose network has the boundary head of STDC beside the decode head."""
    segmentor = tiny_segmentor(two_levels=False)
    segmentor.auxiliary_head = dict(
        type='STDCHead',
        in_channels=16,
        in_index=2,
        channels=4,
        num_convs=1,
        num_classes=2,
        concat_input=False,
        loss_decode=SEVERAL,
    )
    return tiny_adaptor(kind, segmentor=segmentor, **options).train()


def test_a_head_of_boundaries_learns_from_labels_and_is_no_level():
    critic = dict(type='FCDiscriminatorHead', in_channels=NUM_CLASSES, base_channels=2)
    adaptor = with_boundaries('ADVENT', discriminator=critic, aux_discriminator=None)
    before = copy.deepcopy(adaptor.segmentor.auxiliary_head.state_dict())
    statistics = 'convs.0.bn.num_batches_tracked'
    logs = adaptor.train_step(pair_batch(), wrappers_of(adaptor))
    after = adaptor.segmentor.auxiliary_head.state_dict()
    assert {'loss_seg_aux', 'loss_ce_aux', 'loss_dice_aux', 'loss_adv_main'} <= set(logs)
    assert 'loss_adv_aux' not in logs and not torch.equal(before['conv_seg.weight'], after['conv_seg.weight'])
    assert after.get(statistics, 1) == 1, 'the head must not get target images'
    outputs = adaptor.segment(prepared(adaptor, pair_batch())['target'])
    assert outputs.levels == ('main',) and outputs.head_outputs == {}


def test_a_teacher_and_mixed_images_leave_it_out():
    adaptor = with_boundaries('DACS')
    logs = adaptor.train_step(batch(), wrappers_of(adaptor))
    assert {'loss_seg_aux', 'loss_mix_main'} <= set(logs) and 'loss_mix_aux' not in logs


def two_steps(model) -> dict:
    """Return the state after two steps with a boundary head and labelled target images."""
    bare = getattr(model, 'module', model)
    wrappers = wrappers_of(bare)
    for _ in range(2):
        model.train_step({**batch(), 'target_labelled': labelled_side(5, 2)}, wrappers)
    return bare.state_dict()


def two_steps_of_a_rank(rank: int) -> dict:
    return two_steps(AdaptorDistributedDataParallel(with_boundaries('MinEnt')))


def test_two_processes_do_not_wait_for_heads_that_learn_from_labels_alone(tmp_path):
    """With the same images, two processes end with the weights of one process."""
    whole = two_steps(with_boundaries('MinEnt'))
    for found in run_on_processes(two_steps_of_a_rank, tmp_path):
        assert set(found) == set(whole)
        for name, value in whole.items():
            torch.testing.assert_close(
                found[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, n=name: f'{n}: {text}'
            )

"""Intermediate results that adaptors keep for pictures."""

import pytest
import torch
from toolbox import pair_batch, side, tiny_adaptor, wrappers_of

from mmuda.models import SegOutputs


def shown_by(adaptor, batch) -> dict:
    adaptor.train().shown = {}
    adaptor.train_step(batch, wrappers_of(adaptor))
    return adaptor.shown


def test_nothing_is_kept_unless_somebody_looks(batch):
    adaptor = tiny_adaptor('ADVENT').train()
    adaptor.train_step(batch, wrappers_of(adaptor))
    assert adaptor.shown is None
    adaptor.show('map', lambda: pytest.fail('a map must not be computed without a picture'))


def test_an_adversary_shows_both_domains(batch):
    found = shown_by(tiny_adaptor('ADVENT'), batch)
    assert set(found) == {
        'source image',
        'source label',
        'source prediction',
        'source main discriminator',
        'source aux discriminator',
        'target image',
        'target prediction',
        'target main discriminator',
        'target aux discriminator',
    }
    assert found['source image'].shape == (2, 3, 40, 56) and found['source label'].shape == (2, 40, 56)
    for value in found.values():
        tensors = value.logits.values() if isinstance(value, SegOutputs) else [value]
        assert not any(tensor.requires_grad for tensor in tensors)
    assert found['source prediction'].features == ()


def test_a_teacher_shows_its_labels_and_the_mix():
    sides = dict(source=side(0, True), target=side(1, False))
    found = shown_by(tiny_adaptor('DACS', two_levels=False), sides)
    assert {'target pseudo label', 'mix image', 'mix label', 'mix weight', 'mix prediction'} < set(found)
    # Each mixed pixel has the label of the source or the pseudo label.
    mixed, source, pseudo = (found[f'{name} label'] for name in ('mix', 'source', 'target pseudo'))
    assert ((mixed == source) | (mixed == pseudo)).all() and (mixed != source).any()


def test_images_without_a_name_are_numbered():
    batch = dict(source=side(0, True), target=side(1, True))
    found = shown_by(tiny_adaptor('SelfTraining', two_levels=False), batch)
    assert torch.equal(found['pass 1 image'], torch.cat([found['source image'], found['target image']]))
    assert 'pass 1 prediction' in found and 'target label' in found


def test_showing_changes_no_loss():
    plain, watched = (tiny_adaptor('ADVENT').train() for _ in range(2))
    watched.shown = {}
    first, second = (one.train_step(pair_batch(), wrappers_of(one)) for one in (plain, watched))
    assert {name: value.item() for name, value in first.items()} == {
        name: value.item() for name, value in second.items()
    }

"""Probabilities are computed again from recorded outputs of the network."""

import copy

import pytest
import torch
from mmseg.registry import MODELS
from toolbox import plain_batch, tiny_adaptor, tiny_segmentor

SIZES = ((41, 53), (41, 53), (48, 40))
SLIDE = dict(mode='slide', crop_size=(24, 24), stride=(16, 16))


def adaptor(padding=None, **segmentor):
    cfg = {**tiny_segmentor(two_levels=False), **segmentor}
    preprocessor = dict(type='DomainPairPreprocessor', mean=[120.0] * 3, std=[60.0] * 3, test_cfg=padding)
    return tiny_adaptor('SelfTraining', segmentor=cfg, data_preprocessor=preprocessor).eval()


@pytest.mark.parametrize(
    ('options', 'sizes'),
    [
        ({}, ('image', 'input', 'input_soft')),
        (dict(padding=dict(size_divisor=32)), ('image', 'input')),
        (dict(type='BicubicEncoderDecoder', padding=dict(size_divisor=8)), ('image', 'input')),
        (dict(test_cfg=SLIDE), ('image', 'input')),
        (dict(test_cfg=dict(mode='whole', via_input=True)), ('image',)),
    ],
)
def test_probabilities_are_the_same_bit_by_bit(options, sizes):
    model = adaptor(**options)
    batch = plain_batch(*SIZES, original=(60, 84), flip=True, flip_direction='horizontal')
    assert model.can_record
    for at in sizes:
        expected = model.probabilities(copy.deepcopy(batch), at)
        found = model.recorded_probabilities(copy.deepcopy(batch), at)
        for wanted, (prob, recording) in zip(expected, found, strict=True):
            assert torch.equal(prob, wanted) and torch.equal(model.replayed_probabilities(recording, at), wanted)
        other = model.probabilities(copy.deepcopy(batch), sizes[0])
        assert torch.equal(model.replayed_probabilities(found[2][1], sizes[0]), other[2])
    # Recording must not change the network.
    assert torch.equal(model.probabilities(copy.deepcopy(batch), at)[0], expected[0])


def test_heads_and_segmentors_of_their_own_are_not_recorded():
    model = adaptor()
    model.segmentor = MODELS.build(dict(tiny_segmentor(two_levels=False), type='MultiScaleEncoderDecoder'))
    assert not model.can_record
    head = dict(type='FussyHead', in_channels=32, channels=4, num_classes=5)
    assert not adaptor(decode_head=head).can_record

"""AdaptSegNet by its registered name, and the earlier spelling of its feature-space baseline."""

import copy

import pytest
import torch
from mmseg.registry import MODELS
from toolbox import tiny_adaptor

from mmuda.models import AdaptSegNet, FeatureAdversary

CRITICS = {
    name: dict(type='FCDiscriminatorHead', in_channels=channels, base_channels=2)
    for name, channels in dict(discriminator=32, aux_discriminator=16).items()
}


def test_the_output_space_is_the_default():
    for options in (dict(), dict(space='output')):
        assert type(tiny_adaptor('AdaptSegNet', **options)) is AdaptSegNet


def test_the_feature_space_is_a_method_of_its_own():
    new = tiny_adaptor('FeatureAdversary', **CRITICS)
    with pytest.warns(FutureWarning, match="is now called type='FeatureAdversary'"):
        old = tiny_adaptor('AdaptSegNet', space='feature', **CRITICS)
    assert type(old) is type(new) is FeatureAdversary
    assert old.loss_weights == new.loss_weights
    state = old.state_dict()
    assert set(state) == set(new.state_dict())
    assert all(torch.equal(state[name], value) for name, value in new.state_dict().items())


def test_an_unknown_space_is_an_error():
    with pytest.raises(ValueError, match="space='features', expected 'output'"):
        tiny_adaptor('AdaptSegNet', space='features')


def test_the_registered_name_is_the_class():
    """Tools look up the parameters and the loss weights of a method by its name."""
    assert MODELS.get('AdaptSegNet') is AdaptSegNet
    copied = copy.deepcopy(tiny_adaptor('AdaptSegNet'))
    assert type(copied) is AdaptSegNet and copied.loss_weights == AdaptSegNet.LOSS_WEIGHTS

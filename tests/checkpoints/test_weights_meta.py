"""Checkpoints carry facts that the names of weights do not show, and loading compares these facts."""

import pytest
import torch
from mmseg.registry import MODELS
from toolbox import tiny_adaptor, tiny_config, tiny_segmentor
from torch import nn

from mmuda.checkpoints import load_weights, publish, read_checkpoint, weights_meta
from mmuda.engine.launch import build_runner


class Turned(nn.Module):
    """A part of a network with a setting that its weights do not show."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.order = order
        self.weight = nn.Parameter(torch.zeros(1))

    def weights_meta(self) -> dict:
        return dict(channel_order=self.order, version=2)


class Network(nn.Module):
    def __init__(self, *orders: str) -> None:
        super().__init__()
        self.neck = nn.Sequential(*map(Turned, orders))


def test_facts_are_by_fact_and_part():
    assert weights_meta(Network('rgb', 'bgr')) == {
        'channel_order': {'neck.0': 'rgb', 'neck.1': 'bgr'},
        'version': {'neck.0': 2, 'neck.1': 2},
    }
    assert weights_meta(nn.Linear(1, 1)) == {}


def test_which_branches_a_deeplab_head_adds_and_how_wide_they_are():
    segmentor = tiny_segmentor()
    segmentor.decode_head.summed = (1,)
    facts = {
        'summed_branches': {'decode_head': [1], 'auxiliary_head': [0, 1]},
        'dilations': {'decode_head': [1, 2], 'auxiliary_head': [1, 2]},
    }
    assert weights_meta(MODELS.build(segmentor)) == facts
    order = {'channel_order': {'data_preprocessor': 'bgr'}}
    assert weights_meta(tiny_adaptor('ADVENT', segmentor=segmentor)) == {**facts, **order}


def test_another_fact_is_an_error_that_names_it():
    trained = Network('rgb', 'bgr')
    checkpoint = dict(state_dict=trained.state_dict(), meta=dict(weights_meta(trained), method='Turning'))
    assert load_weights(Network('rgb', 'bgr'), checkpoint, 'x.pth') == []
    with pytest.raises(
        RuntimeError,
        match=r'x.pth comes from a network whose neck.1 has channel_order bgr, but that of this config has rgb: use a '
        r'config of its method \(Turning\), or give neck.1 the same settings',
    ):
        load_weights(Network('rgb', 'rgb'), checkpoint, 'x.pth')


@pytest.mark.parametrize('meta', [None, 3, {}, dict(channel_order=3), dict(channel_order={'head': 'bgr'})])
def test_only_facts_that_both_state_are_compared(meta):
    network = Network('rgb', 'rgb')
    assert load_weights(network, dict(state_dict=network.state_dict(), meta=meta), 'x.pth') == []


def test_training_and_publishing_keep_them(minicity, tmp_path):
    build_runner(tiny_config('source_only', minicity, tmp_path, iters=1, save=1)).train()
    published = publish(tmp_path / 'iter_1.pth', tmp_path / 'plain.pth')
    for path in (tmp_path / 'iter_1.pth', published):
        assert read_checkpoint(path)['meta']['summed_branches'] == dict(decode_head=[0, 1, 2, 3]), path

"""Published segmentors have the weight names of mmseg and no state of the training."""

import sys

import pytest
import torch
from mmseg.registry import MODELS
from safetensors.torch import load_file
from toolbox import tiny_adaptor, tiny_segmentor

from mmuda.checkpoints import publish, read_checkpoint


def test_publish(tmp_path):
    adaptor = tiny_adaptor('ADVENT')
    torch.save(
        dict(state_dict=adaptor.state_dict(), optimizer={}, meta=dict(iter=5, cfg='x', time='now')),
        tmp_path / 'iter_5.pth',
    )
    written = publish(tmp_path / 'iter_5.pth', tmp_path / 'out/advent.pth')
    content = read_checkpoint(written)
    assert set(content) == {'state_dict', 'meta'} and content['meta'] == dict(iter=5, cfg='x')
    plain = MODELS.build(dict(tiny_segmentor(), type='EncoderDecoder'))
    plain.load_state_dict(content['state_dict'])
    assert len(written.stem.split('-')[-1]) == 8 and list(written.parent.iterdir()) == [written]
    torch.save(dict(state_dict=plain.state_dict()), tmp_path / 'plain.pth')
    with pytest.raises(RuntimeError, match="holds no segmentor|holds no weights below 'segmentor.'"):
        publish(tmp_path / 'plain.pth', tmp_path / 'out/x.pth')


def test_safetensors_beside_it(tmp_path):
    adaptor = tiny_adaptor('SourceOnly')
    torch.save(dict(state_dict=adaptor.state_dict(), meta=dict(iter=5)), tmp_path / 'iter_5.pth')
    written = publish(tmp_path / 'iter_5.pth', tmp_path / 'out/net.pth', safetensors=True)
    weights = load_file(written.with_suffix('.safetensors'))
    state = read_checkpoint(written)['state_dict']
    assert weights.keys() == state.keys() and all(torch.equal(value, weights[key]) for key, value in state.items())


def test_safetensors_need_their_package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules['mmuda.checkpoints.publish'], 'find_spec', lambda name: None)
    with pytest.raises(ModuleNotFoundError, match='pip install safetensors'):
        publish(tmp_path / 'iter_5.pth', tmp_path / 'net.pth', safetensors=True)

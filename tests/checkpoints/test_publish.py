"""Published segmentors have mmseg's keys and no training state."""

import pytest
import torch
from mmseg.registry import MODELS
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

"""The text of the config of a run is formatted only once."""

import pytest
from mmengine.config import Config
from toolbox import tiny_config
from trainings import train
from yapf.yapflib import yapf_api

from mmuda.checkpoints.reading import read_checkpoint
from mmuda.engine.run_config import RunConfig


@pytest.fixture
def formatted(monkeypatch):
    """Record the texts that are formatted."""
    texts, original = [], yapf_api.FormatCode
    monkeypatch.setattr(yapf_api, 'FormatCode', lambda text, **how: texts.append(text) or original(text, **how))
    return texts


def test_a_training_formats_its_config_once(minicity, tmp_path, formatted):
    cfg = tiny_config('source_only', minicity, tmp_path, iters=3, **{'default_hooks.checkpoint.interval': 1})
    train(cfg)
    assert len(formatted) == 1
    saved = [read_checkpoint(path)['meta']['cfg'] for path in tmp_path.glob('iter_*.pth')]
    assert len(saved) > 1 and set(saved) == {cfg.pretty_text}


def test_a_change_is_seen(formatted):
    cfg = RunConfig.of(Config(dict(a=1, b=dict(c=[1, 2], d='x'))))
    assert cfg.pretty_text == cfg.pretty_text == Config(cfg.to_dict()).pretty_text
    assert len(formatted) == 2, 'each of the two classes must format the text once'
    cfg.b.c.append(3)
    assert '3' in cfg.pretty_text and RunConfig.of(cfg) is cfg
    assert cfg.copy().pretty_text == cfg.pretty_text and len(formatted) == 3


def test_plain_values_make_a_config():
    assert RunConfig.of(dict(a=1)).pretty_text == 'a = 1\n'

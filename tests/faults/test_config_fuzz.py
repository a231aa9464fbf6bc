"""No mistake in a config is silent: each ends in one message that names it, before anything is trained."""

import pytest
from faults.mutations import LEGAL, MISSPELT, SENSELESS, STAGED
from toolbox import CONFIGS

from mmuda.checks import ConfigError, check_config, require
from mmuda.engine.launch import load_config


def names(mutations) -> dict:
    """Return the arguments of `parametrize` for mutations."""
    return dict(
        argnames='mutation',
        argvalues=mutations,
        ids=[f'{one.base}:{one.key}={str(one.value)[:20]}' for one in mutations],
    )


def text_of(key: str, value) -> str:
    """Return the statement of a config file that sets a dotted key."""
    text = "float('nan')" if value != value else repr(value)
    top, *parts = key.split('.')
    for part in reversed(parts):
        text = f'dict({part}={text})'
    return f'{top} = {text}\n'


@pytest.fixture
def changed(minicity, tmp_path, monkeypatch):
    """A function that writes a config with one key changed, and reads it."""
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))

    def write(mutation):
        path = tmp_path / 'config.py'
        base = f"_base_ = '{CONFIGS / mutation.base / 'minicity.py'}'\n"
        path.write_text(base + text_of(mutation.key, mutation.value))
        return load_config(path, work_dir=None if mutation.key == 'work_dir' else str(tmp_path / 'work'))

    return write


@pytest.mark.parametrize(**names(MISSPELT + SENSELESS + STAGED))
def test_it_is_told(mutation, changed, tmp_path):
    cfg = changed(mutation)
    before = str(cfg)
    with pytest.raises(ConfigError) as caught:
        require(cfg, check_config(cfg))
    message = str(caught.value)
    assert message.startswith(str(tmp_path / 'config.py'))
    found = {finding.key: str(finding) for finding in caught.value.findings}
    place = mutation.at or mutation.key
    assert place in found and (mutation.says or mutation.key.split('.')[-1]) in found[place], message
    assert "': stage '" not in message
    assert not any('\n' in text for text in found.values())
    assert str(cfg) == before and not (tmp_path / 'work').exists()


@pytest.mark.parametrize(**names(LEGAL))
def test_it_is_legal(mutation, changed):
    cfg = changed(mutation)
    before = str(cfg)
    assert [str(finding) for finding in check_config(cfg) if finding.level == 'error'] == []
    assert str(cfg) == before


def test_there_are_as_many_as_somebody_tried():
    assert len(MISSPELT + SENSELESS + STAGED) >= 152

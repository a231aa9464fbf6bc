"""Each mistake in a config gives a message that names it before the training starts."""

import copy

import pytest
from faults.mutations import LEGAL, MISSPELT, SENSELESS, STAGED
from toolbox import CONFIGS

from mmuda.checks import ConfigError, check_config, require
from mmuda.engine.launch import LIVE_KEYS, load_config


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
    """Return a function that writes a config with one changed key and reads it."""
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


def with_strange_keys(node, place: str) -> set[str]:
    """Add an unknown key to each dict of a part of a config; return the dotted keys of all of them."""
    if isinstance(node, (list, tuple)):
        parts = [(f'{place}.{number}', part) for number, part in enumerate(node)]
    elif isinstance(node, dict):
        parts = [(f'{place}.{key}', part) for key, part in node.items() if key not in ANY_KEY]
    else:
        return set()
    added = {where for name, part in parts for where in with_strange_keys(part, name)}
    if isinstance(node, dict):
        node['zqx'] = 1
        added.add(f'{place}.zqx')
    return added


ANY_KEY = ('metainfo', 'paper', 'label_table', 'class_map')
"""Dicts with keys that users choose."""

CONFIGS_WITH_ALL_PARTS = (
    *('advent/minicity.py', 'dacs/gta2city.py', 'backbones/gta2city_dacs_swin-t.py', 'source_only/city2acdc.py'),
    *('../projects/daformer/configs/gta2city.py', '../projects/mic/configs/minicity.py'),
)


@pytest.mark.parametrize('config', CONFIGS_WITH_ALL_PARTS)
def test_a_key_that_nothing_reads_is_told_in_every_dict(config, minicity, tmp_path, monkeypatch):
    """An unknown key is reported in every dict; those inside networks only after all other errors are corrected."""
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    cfg = load_config(CONFIGS / config, work_dir=str(tmp_path / 'work'))
    added = {place for key in cfg if key in LIVE_KEYS for place in with_strange_keys(cfg[key], key)}
    told = {finding.key for finding in check_config(cfg) if finding.level == 'error'}
    alone = sorted(added - told)
    assert len(added) > 35 and len(alone) < 5 and all(place.startswith('model.') for place in alone)
    for place in alone if 'minicity' in config else ():
        cfg = load_config(CONFIGS / config, {f'+{place}': 1}, str(tmp_path / 'work'))
        assert 'zqx' in ' '.join(str(finding) for finding in check_config(cfg) if finding.level == 'error'), place


def dicts_in(node, place: str, depth: int):
    """Yield the dotted keys of all dicts in a config, down to a depth."""
    for key, part in node.items():
        if isinstance(part, dict):
            yield f'{place}{key}'
            if depth > 1:
                yield from dicts_in(part, f'{place}{key}.', depth - 1)


@pytest.mark.parametrize('wrong', ['wrong', [3]], ids=str)
def test_a_value_in_place_of_a_dict_is_told(wrong, minicity, tmp_path, monkeypatch):
    """A finding names the place, or a dict inside it that is missing, and no other check raises."""
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    whole = load_config(CONFIGS / 'advent/minicity.py', work_dir=str(tmp_path / 'work'))
    places = [place for place in dicts_in(whole, '', 2) if place.split('.')[0] in LIVE_KEYS]
    assert len(places) > 25
    for place in places:
        cfg = copy.deepcopy(whole)
        cfg.merge_from_dict({place: wrong})
        assert any(f.level == 'error' and f.key.startswith(place) for f in check_config(cfg)), place

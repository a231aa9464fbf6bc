"""How tools tell a mistake."""

import argparse

import pytest

from mmuda.engine.command_line import OptionsAction, message_of, run_command


def fails() -> None:
    raise KeyError('no such key')


def test_an_error_is_its_message(monkeypatch):
    monkeypatch.setattr('sys.argv', ['tool'])
    with pytest.raises(SystemExit, match=r'error: no such key.*--traceback shows it'):
        run_command(fails)
    monkeypatch.setattr('sys.argv', ['tool', '--traceback'])
    with pytest.raises(KeyError):
        run_command(fails)


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (KeyError('name'), 'KeyError: name'),
        (AssertionError(), 'AssertionError'),
        (ValueError('what is wrong'), 'what is wrong'),
    ],
)
def test_a_message_always_says_something(error, text):
    assert message_of(error) == text


def read(*options: str) -> dict:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def test_values_with_dicts_are_those_of_python():
    """mmengine's reader would cut them at their commas."""
    read_back = read('a.b=3', "steps=[{'type': 'Flip', 'prob': 0.5}]", 'names=x,y', "+hook={'type': 'A'}")
    assert read_back == {'a.b': 3, 'names': ['x', 'y'], 'steps': [dict(type='Flip', prob=0.5)], '+hook': dict(type='A')}


@pytest.mark.parametrize(('option', 'said'), [('a', 'expected KEY=VALUE'), ('a={b:1', 'cannot be read')])
def test_an_option_that_cannot_be_read_is_told(option, said, capsys):
    with pytest.raises(SystemExit):
        read(option)
    assert said in capsys.readouterr().err

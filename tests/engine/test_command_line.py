"""How tools tell a mistake."""

import pytest

from mmuda.engine.command_line import message_of, run_command


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

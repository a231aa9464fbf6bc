"""Progress is a bar on a terminal and lines in a log; other processes than the main one print nothing."""

import io

import pytest

from mmuda import progress as module
from mmuda.progress import ProgressDisplay, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_items_pass_and_the_last_line_is_complete(capsys):
    assert list(progress(iter('abc'), 3, 'letters', 'letters')) == ['a', 'b', 'c']
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith('letters: 3/3, ') and lines[0].endswith('letters/s, 0 s left')


def test_lines_come_at_their_interval():
    out = io.StringIO()
    with ProgressDisplay(5, 'work', seconds_between_lines=0.0, file=out) as display:
        for _ in range(5):
            display.update(1)
    assert [line.split(',')[0] for line in out.getvalue().splitlines()] == [f'work: {i}/5' for i in range(1, 6)]


def test_a_terminal_gets_a_bar_with_rate_and_time():
    out = Terminal()
    with ProgressDisplay(2, 'work', 'pairs', file=out) as display:
        display.update(1)
        display.update(1)
    assert 'work' in out.getvalue() and '2/2' in out.getvalue() and 'pairs/s' in out.getvalue()


@pytest.mark.parametrize('stream', [io.StringIO, Terminal])
def test_other_processes_show_nothing(stream, monkeypatch):
    monkeypatch.setattr(module, 'is_main_process', lambda: False)
    out = stream()
    with ProgressDisplay(1, 'work', file=out) as display:
        display.update(1)
    assert out.getvalue() == ''


def test_an_error_ends_the_bar_and_is_passed_on():
    out = Terminal()
    with pytest.raises(KeyError), ProgressDisplay(2, 'work', file=out) as display:
        display.update(1)
        raise KeyError
    assert '1/2' in out.getvalue()

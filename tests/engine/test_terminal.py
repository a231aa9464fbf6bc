"""The part of the log that the terminal shows."""

import io
import logging
import sys

from mmengine.logging import MMLogger

from mmuda.engine.terminal import quieten, write_through_stdout


def test_the_terminal_is_short_and_the_file_complete(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    logger = MMLogger('quiet', log_file=str(tmp_path / 'log'))
    quieten(logger)
    quieten(logger)
    for text in ('Config:\na = 1', 'Exp name: x', 'Iter(train) [1/2]', 'a Config:\n'):
        logger.info(text)
    shown = sys.stdout.getvalue()
    assert 'a = 1' not in shown and 'Exp name' not in shown and 'Iter(train)' in shown and 'a Config:' in shown
    written = (tmp_path / 'log').read_text()
    assert all(text in written for text in ('a = 1', 'Exp name: x', 'Iter(train)'))


def test_a_logger_follows_standard_output(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    logger = MMLogger('following', log_file=str(tmp_path / 'log'), log_level=logging.INFO)
    now = io.StringIO()
    monkeypatch.setattr(sys, 'stdout', now)
    logger.info('before')
    write_through_stdout(logger)
    logger.info('after')
    assert 'before' not in now.getvalue() and 'after' in now.getvalue()
    assert (tmp_path / 'log').read_text().count('\n') == 2

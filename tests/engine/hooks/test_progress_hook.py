"""The progress bar of a training."""

import os
import re
import subprocess
import sys

import pytest
from toolbox import CONFIGS, tiny_options

pty = pytest.importorskip('pty')


def on_terminal(command: list, env: dict) -> str:
    """Run a command on a pseudo terminal; return its output without control sequences."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux raises this when the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    text = b''.join(parts).decode(errors='replace')
    assert process.wait() == 0, text[-3000:]
    return re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', text)


def test_a_terminal_shows_bars_below_the_log(minicity, tmp_path):
    options = tiny_options('source_only', iters=6, val=3)
    command = [sys.executable, str(CONFIGS.parent / 'tools/train.py'), str(CONFIGS / 'source_only/minicity.py')]
    command += ['--work-dir', str(tmp_path), '--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    env = dict(os.environ, MINICITY_ROOT=str(minicity), OMP_NUM_THREADS='1', COLUMNS='120', TERM='xterm')
    shown = on_terminal(command, env)
    assert re.search(r'training .*6/6', shown) and 'iterations/s' in shown and re.search(r'validation .*2/2', shown)
    lines = shown.replace('\r\n', '\n').split('\n')
    assert any(re.match(r'.*\r?\d\d/\d\d .*Iter\(train\)', line) for line in lines)
    first = next(number for number, line in enumerate(lines) if 'Iter(train)' in line)
    assert first <= 20, 'the first iteration must appear within 20 lines'
    assert 'System environment' not in shown and 'Config:' not in shown and 'Hooks will be' not in shown
    (log,) = tmp_path.glob('*/*.log')
    assert (
        'System environment' in log.read_text()
        and 'Config:' in log.read_text()
        and log.name in shown.replace('\r\n', '')
    )


def test_a_file_gets_no_bar(minicity, tmp_path, capfd):
    from toolbox import tiny_config
    from trainings import train

    train(tiny_config('source_only', minicity, tmp_path, iters=2))
    out, err = capfd.readouterr()
    assert 'iterations/s' not in out + err

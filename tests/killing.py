"""kill -9 of real commands at a chosen moment."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PATIENCE = 600
"""Seconds; what is waited for takes a few on a quiet machine."""


def kill_when(command: Sequence[str], env: dict[str, str], reached: Callable[[], bool], log: Path) -> None:
    """Start a command and kill it and all below it as soon as something is reached."""
    with open(log, 'wb') as file:
        running = subprocess.Popen(command, env=env, stdout=file, stderr=file)
        start = time.monotonic()
        while not reached():
            ended = running.poll() is not None
            if ended or time.monotonic() - start > PATIENCE:
                _kill_tree(running)
                told = log.read_text(encoding='utf-8', errors='replace')[-3000:]
                raise AssertionError(f'it {"ended" if ended else "was stopped"} before the moment to kill it:\n{told}')
            time.sleep(0.002)
        _kill_tree(running)


def _kill_tree(running: subprocess.Popen) -> None:
    """torchrun gives its workers sessions of their own, so they are looked for."""
    if running.poll() is None:
        for one in _with_descendants(running.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
    running.wait()


def _with_descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):  # it ended meanwhile
            fields = stat.read_text().rsplit(')', 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found

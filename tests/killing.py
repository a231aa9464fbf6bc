"""SIGKILL for real commands at a chosen moment."""

import contextlib
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from yapf.yapflib import yapf_api

PATIENCE = 600
"""Time limit in seconds. The awaited events take a few seconds on an idle machine."""


def kill_when(command: Sequence[str], env: dict[str, str], reached: Callable[[], bool], log: Path) -> None:
    """Start a command, and kill it with all its descendants as soon as `reached()` is true.

    Raises:
        AssertionError: If the command ends or `PATIENCE` seconds pass before.
    """
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
    """Kill a process and its descendants. A process group is not enough: torchrun starts workers in other sessions."""
    if running.poll() is None:
        for one in _with_descendants(running.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
    running.wait()


def _with_descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):  # the process has ended meanwhile
            fields = stat.read_text().rsplit(')', 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


class ForkedCommand:
    """A Python script on one or more processes, which form a gloo group as with ``torchrun``.

    The processes are forked from a server that has imported mmuda already. The import takes most of the time of a tiny
    training.

    Args:
        command: The script and its arguments.
        env: Environment variables to add. ``OMP_NUM_THREADS`` must be set in the environment of the tests instead.
        log: File for the output of all processes.
        count: Number of processes. A single process has no group.
    """

    def __init__(self, command: Sequence[str], env: dict[str, str], log: Path, count: int = 1) -> None:
        forks = multiprocessing.get_context('forkserver')
        forks.set_forkserver_preload(['mmseg.apis', 'mmuda.engine.launch', 'mmuda'])
        self.log = log
        port = str(_free_port())
        ranks = [
            dict(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count), MASTER_ADDR='localhost', MASTER_PORT=port)
            for rank in range(count)
        ]
        self.processes = [
            forks.Process(target=_run_script, args=(list(command), env | (rank if count > 1 else {}), str(log)))
            for rank in ranks
        ]
        for process in self.processes:
            process.start()

    def finish(self) -> None:
        """Wait for the end of all processes.

        Raises:
            AssertionError: If a process fails, or if `PATIENCE` seconds pass before its end.
        """
        for process in self.processes:
            process.join(PATIENCE)
        codes = [process.exitcode for process in self.processes]
        self.kill()
        assert codes == [0] * len(codes), f'exit status {codes}:\n{self.told()}'

    def kill_when(self, reached: Callable[[], bool]) -> None:
        """Kill all processes as soon as `reached()` is true.

        Raises:
            AssertionError: If a process ends or `PATIENCE` seconds pass before.
        """
        start = time.monotonic()
        while not reached():
            ended = not all(process.is_alive() for process in self.processes)
            if ended or time.monotonic() - start > PATIENCE:
                self.kill()
                raise AssertionError(f'it ended or was stopped before the moment to kill it:\n{self.told()}')
            time.sleep(0.002)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to all processes."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()

    def told(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(encoding='utf-8', errors='replace')[-3000:]


def _run_script(command: list[str], env: dict[str, str], log: str) -> None:
    # mmengine formats its config up to eight times, which takes most of the remaining time.
    yapf_api.FormatCode = lambda text, **_: (text, False)
    with open(log, 'ab') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(env)
    sys.path[:0] = [os.path.dirname(command[0]), *env.get('PYTHONPATH', '').split(os.pathsep)]
    sys.argv = command
    runpy.run_path(command[0], run_name='__main__')


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(('localhost', 0))
        return found.getsockname()[1]

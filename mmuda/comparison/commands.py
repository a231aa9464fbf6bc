"""Commands as child processes, with a log and a measured peak of memory. All of them can be stopped together."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Outcome(NamedTuple):
    """Result of a command.

    Attributes:
        code: Exit status.
        seconds: Seconds that it took.
        memory: Peak resident memory of its main process, in MB.
    """

    code: int
    seconds: float
    memory: float


class Commands:
    """Child processes for commands. Each call waits in its thread; :meth:`stop` ends all of them.

    Args:
        inherited: File descriptors that the child processes inherit.
    """

    def __init__(self, inherited: Sequence[int] = ()) -> None:
        self.inherited = tuple(inherited)
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Outcome:
        """Run a command; its output is appended to a log file.

        Args:
            command: Program and arguments.
            log: The file.
            env: Environment variables that differ from those of this process.

        Raises:
            InterruptedError: If :meth:`stop` was called.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        with open(log, 'ab') as file:
            with self._lock:
                if self._stopped:
                    raise InterruptedError('the comparison was stopped')
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    pass_fds=self.inherited,
                )
                self._running.add(process)
            # wait4 returns the peak memory of this child alone, which Popen.wait does not.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            with self._lock:
                self._running.discard(process)
        if self._stopped:
            raise InterruptedError('the comparison was stopped')
        return Outcome(process.returncode, time.monotonic() - start, _megabytes(usage))

    def stop(self) -> None:
        """End all running commands. Later calls of :meth:`run` raise."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


def last_lines(log: Path, count: int = 15) -> str:
    """Return the end of a log file."""
    return '\n'.join(log.read_text(encoding='utf-8', errors='replace').splitlines()[-count:])


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10)

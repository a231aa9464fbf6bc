"""The signals that stop a run: Ctrl-C, ``kill``, or the warning of a scheduler before it takes the machine away.

After the first signal, a training finishes its iteration, saves a checkpoint that resumes exactly, and ends with
:data:`EXIT_CODE`. Any other work ends at once; the next call continues from its last snapshot. A second signal, some
seconds later, ends a training at once, too.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 75
"""Exit status of a run that stopped before its end and can continue: ``EX_TEMPFAIL`` of sysexits.h, "try again"."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals that stop a run. Slurm sends SIGUSR1 with the option ``--signal=USR1@120``."""

_ONE_REQUEST = 5.0
"""Seconds in which further signals count as the same request: a terminal and a launcher both send it."""


WORKER_SECONDS = 30
"""Seconds for which a worker of a data loader continues after SIGTERM: torchrun waits as long before it kills."""


class Stopped(SystemExit):
    """Exit of the process with :data:`EXIT_CODE`."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


class _State:
    pid: int | None = None  # of the process that handles signals; its forked children do not
    asked: str | None = None
    at = 0.0
    saves = False


_STATE = _State()


@contextmanager
def stoppable() -> Iterator[None]:
    """Handle signals while the block is executed, in the main thread of a command."""
    # A shell makes processes in the background ignore SIGINT; they must continue to do so.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _handle) for number in heard}
    _STATE.pid, _STATE.asked, _STATE.saves = os.getpid(), None, False
    try:
        yield
    finally:
        _STATE.pid = None
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def saving_first() -> Iterator[bool]:
    """Do not end the process at the first signal in the block: the training in it checks :func:`asked_to_stop`.

    Yields:
        Whether this process handles signals.
    """
    handles = _STATE.pid == os.getpid()
    _STATE.saves = handles
    try:
        yield handles
    finally:
        _STATE.saves = False


def outlive_signals(init: Callable[[int], None] | None, worker: int) -> None:
    """Initialise a worker of a data loader so that a signal to all processes does not end it before its training.

    Terminals, torchrun and Slurm send :data:`SIGNALS` to workers, too. If a worker is killed, PyTorch ends the training
    before it can save. So the worker continues until its parent process ends it, but after SIGTERM for at most
    :data:`WORKER_SECONDS`. Workers can be forked or spawned.

    Args:
        init: ``worker_init_fn`` of the loader; it is called at the end.
        worker: Index of the worker.
    """
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None and hasattr(signal, 'sigwaitinfo'):  # on macOS the sender of a signal cannot be found
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with, args=(parent.pid,), daemon=True).start()
    if init is not None:
        init(worker)


def _end_with(parent: int | None) -> None:
    """End this process at the SIGTERM of its parent, or :data:`WORKER_SECONDS` after that of another process."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        signal.alarm(WORKER_SECONDS)
    os._exit(0)  # as PyTorch's own handler does


def asked_to_stop() -> str | None:
    """Return the name of the signal that this process received to stop, or None."""
    return _STATE.asked


def _handle(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _STATE.pid:
        return  # a forked child, such as a worker of a data loader: its parent handles the signal
    name, now = signal.Signals(number).name, time.monotonic()
    if _STATE.asked is not None and now - _STATE.at < _ONE_REQUEST:
        return
    again, _STATE.asked, _STATE.at = _STATE.asked is not None, name, now
    if _STATE.saves and not again:
        _say(f'{name}: the training stops after this iteration and saves a checkpoint; a second signal ends it at once')
        return
    _say(f'{name}: ended; the same command continues from the last saved state (a training: with --resume)')
    raise Stopped


def _say(text: str) -> None:
    if os.environ.get('RANK', '0') == '0':
        print(text, file=sys.stderr, flush=True)

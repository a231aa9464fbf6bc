"""Handle the signals that stop a run: Ctrl-C, ``kill``, or the warning of a scheduler that needs the machine.

The first signal lets a training finish its iteration, save a checkpoint that resumes exactly, and end with
:data:`EXIT_CODE`; any other work ends at once, and goes on from its last snapshot. A second signal, some seconds later,
ends a training at once, too.
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
"""Exit status of a run that stopped before its end and can go on: ``EX_TEMPFAIL`` of sysexits.h, "try again"."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals that ask to stop; SIGUSR1 is the one to order from Slurm, ``--signal=USR1@120``."""

_ONE_REQUEST = 5.0
"""Seconds in which further signals are the same request: a terminal and a launcher both send it."""


WORKER_SECONDS = 30
"""How long a worker of a data loader outlives SIGTERM: as long as torchrun waits before it kills."""


class Stopped(SystemExit):
    """Ends the process with :data:`EXIT_CODE`."""

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
    # A shell lets what it runs in the background ignore SIGINT.
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
    """Leave it to the block, a training, to stop when :func:`asked_to_stop` says so.

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
    """Begin a worker of a data loader so that a signal to all processes does not take it from the training.

    Terminals, torchrun and Slurm send :data:`SIGNALS` to workers, too; PyTorch ends a training whose worker was killed,
    before the training can save. So the worker goes on until its own process ends it, after SIGTERM for
    :data:`WORKER_SECONDS` at most. Workers may be forked or spawned.

    Args:
        init: What else begins a worker; ``worker_init_fn`` of the loader.
        worker: Its number.
    """
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None and hasattr(signal, 'sigwaitinfo'):  # macOS has no way to learn who sent a signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with, args=(parent.pid,), daemon=True).start()
    if init is not None:
        init(worker)


def _end_with(parent: int | None) -> None:
    """End this process at the SIGTERM of its parent, and some time after that of anybody else."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        signal.alarm(WORKER_SECONDS)
    os._exit(0)  # as PyTorch's own handler does


def asked_to_stop() -> str | None:
    """Return the name of the signal that asked this process to stop, or None."""
    return _STATE.asked


def _handle(number: int, frame: FrameType | None) -> None:
    if os.getpid() != _STATE.pid:
        return  # a worker of a data loader: its process decides
    name, now = signal.Signals(number).name, time.monotonic()
    if _STATE.asked is not None and now - _STATE.at < _ONE_REQUEST:
        return
    again, _STATE.asked, _STATE.at = _STATE.asked is not None, name, now
    if _STATE.saves and not again:
        _say(f'{name}: the training stops after this iteration and saves a checkpoint; a second signal ends it at once')
        return
    _say(f'{name}: ended; the same command goes on where this one has saved its work (a training: with --resume)')
    raise Stopped


def _say(text: str) -> None:
    if os.environ.get('RANK', '0') == '0':
        print(text, file=sys.stderr, flush=True)

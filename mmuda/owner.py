"""Ownership of folders: a folder belongs to one run at a time.

The lock of a file in the folder decides if the file system has locks that all machines see. Some shared disks have no
locks, or locks that only one machine sees. A run that holds the folder therefore also writes its machine and process
into the file, and updates the time of the file (touches it) every few seconds. A run that finds the name of another
machine in the file waits to see whether the file is still touched.
"""

import errno
import fcntl
import logging
import os
import platform
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mmengine.logging import print_log

from .ranks import from_main

LOCK = '.lock'
"""File in a folder whose lock is held by the run that owns the folder. Its text describes that run."""

HEARTBEAT = 5.0
"""Seconds between two touches of the lock file by the run that holds the folder."""
PATIENCE = 3.5
"""Number of heartbeats without a touch after which a run on another machine counts as dead."""

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_SHOWN = 300
_HELD: dict[Path, TextIO] = {}


@contextmanager
def only_user(folder: str | Path, what: str) -> Iterator[int]:
    """Hold a folder for one run while the block is executed.

    The operating system releases the folder when this process and all child processes that inherited the file
    descriptor have ended, in any way. Forked child processes (workers of data loaders) do not hold it. Machines that
    share the disk detect each other by the lock if the file system has locks (NFS has), and else by the touches of the
    lock file.

    Args:
        folder: The folder; it is made if it does not exist.
        what: Kind of the run, for the message, such as ``'comparison'``.

    Yields:
        A file descriptor. Child processes that inherit it (``pass_fds``) hold the folder, too, even if this process
        dies.

    Raises:
        RuntimeError: If another run holds it.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(Path(folder) / LOCK, 'a+', encoding='utf-8') as file:
        _lock(file, Path(folder), what)
        with _noted(file, Path(folder)):
            try:
                yield file.fileno()
            finally:
                file.truncate(0)  # the file stays, because child processes may still hold it


@contextmanager
def only_run(folder: str | Path, what: str) -> Iterator[None]:
    """Hold a folder for a run of one or several processes, all of which must call it. The lock file is removed later.

    A process that holds the folder can call it again.

    Args:
        folder: The folder; it is made if it does not exist.
        what: Kind of the run, for the message, such as ``'training'``.

    Raises:
        RuntimeError: On all processes, if another run holds the folder.
    """
    with ExitStack() as stack:
        from_main(lambda: None if holds(folder) else stack.enter_context(_held_alone(Path(folder), what)))
        yield


def holds(folder: str | Path) -> bool:
    """Return whether this process holds a folder. In a run of several processes only the main process does."""
    return Path(folder).resolve() in _HELD


@contextmanager
def _held_alone(folder: Path, what: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    while True:
        with open(path, 'a+', encoding='utf-8') as file:
            _lock(file, folder, what)
            # The earlier run may have removed the file after it was opened here. The lock of a removed file protects
            # nothing, so try again.
            if not _is_file_at(file, path):
                continue
            with _noted(file, folder):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
            return


def _is_file_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: TextIO, folder: Path, what: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _refusal(file, folder, what) from None
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        print_log(
            f'{folder}: its file system has no locks ({error.strerror}); a second {what} is detected by the text that '
            'the first one writes there, but not if both start at the same moment',
            logger='current',
            level=logging.WARNING,
        )
        if _is_alive(_text(file)):
            raise _refusal(file, folder, what) from None
    if _beats(file, folder):
        raise _refusal(file, folder, what)


@contextmanager
def _noted(file: TextIO, folder: Path) -> Iterator[None]:
    """Write process, machine and command into the lock file, touch it while the block runs, and add it to ``_HELD``."""
    file.truncate(0)
    command = shlex.join(sys.argv)
    file.write(
        f'process {os.getpid()} on {platform.node()} since {time.strftime("%Y-%m-%d %H:%M:%S")}: '
        f'{command if len(command) <= _SHOWN else f"{command[:_SHOWN]} ..."}'
    )
    file.flush()
    _HELD[folder.resolve()] = file
    over = threading.Event()
    heart = threading.Thread(target=_touch, args=(file.name, over), name=f'heartbeat of {folder}', daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        _HELD.pop(folder.resolve(), None)


def _touch(path: str, over: threading.Event) -> None:
    """Update the time of the lock file at each heartbeat. If the disk is temporarily unavailable, try again later."""
    while not over.wait(HEARTBEAT):
        with suppress(OSError):
            os.utime(path)


def _beats(file: TextIO, folder: Path) -> bool:
    """Return whether a run on another machine still touches the lock file. Wait only if the file names such a run."""
    holder = _text(file)
    if _node(holder) in (None, platform.node()):
        return False
    print_log(
        f'{folder} was last held by {holder}: waiting {PATIENCE * HEARTBEAT:g} seconds to see if that run is alive',
        logger='current',
    )
    first, end = _touched(file.name), time.monotonic() + PATIENCE * HEARTBEAT
    while time.monotonic() < end:
        time.sleep(HEARTBEAT / 5)
        if _touched(file.name) not in (first, None):
            return True
    return False


def _touched(path: str) -> int | None:
    """Return the time of the last touch in ns. The file is opened, because network disks update the time only then."""
    try:
        with open(path, 'rb') as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None  # the run has just ended


def _text(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip()


def _refusal(file: TextIO, folder: Path, what: str) -> RuntimeError:
    return RuntimeError(
        f'{folder} belongs to another {what}, {_text(file) or "which has just begun"}: wait until it and the processes '
        'that it started have ended, or choose another folder'
    )


def _node(holder: str) -> str | None:
    """Return the name of the machine in the text of a lock file; None if there is none."""
    words = holder.split()
    return words[3] if len(words) > 3 and words[0] == 'process' else None


def _is_alive(holder: str) -> bool:
    """Return whether the process in the text of a lock file is another running process of this machine."""
    if _node(holder) != platform.node():
        return False
    number = holder.split()[1]
    try:
        os.kill(int(number), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, ValueError):
        return False
    return int(number) != os.getpid()


def _let_go_in_child() -> None:
    """Close the lock files in a forked child process, which otherwise holds the folders as long as it lives."""
    for file in _HELD.values():
        file.close()
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go_in_child)

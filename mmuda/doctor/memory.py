"""The peak of memory of a piece of work: that of CUDA, or the growth of the resident set."""

import ctypes
import gc
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

CUDA, RESIDENT = 'GPU memory that PyTorch allocated', 'growth of the resident set of this process'

_EVERY = 0.005
_STATUS = Path('/proc/self/statm')


class Peak:
    """Result of :func:`peak_memory`.

    Attributes:
        size: Bytes; filled in at the end.
        kind: Which memory this is, in words.
    """

    def __init__(self, kind: str) -> None:
        self.size, self.kind = 0, kind


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the most memory that is used inside, beyond what was used before.

    On a GPU it is the peak of what PyTorch allocated. Elsewhere the resident set is read every few milliseconds, where
    the system tells it (Linux); on other systems it is the growth of the highest resident set so far.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        peak = Peak(CUDA)
        yield peak
        peak.size = torch.cuda.max_memory_allocated()
        return
    _trim()
    peak, before = Peak(RESIDENT), resident()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_EVERY):
            peak.size = max(peak.size, resident() - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak.size = max(peak.size, resident() - before)
        stop.set()
        watcher.join()


def _trim() -> None:
    """Let the C library give freed memory back to the system: work that takes it again would not be seen."""
    if sys.platform == 'linux':
        gc.collect()
        with suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL('libc.so.6').malloc_trim(0)


def resident() -> int:
    """Return the bytes of this process that are in memory now; on other systems than Linux the most so far."""
    if _STATUS.exists():
        return int(_STATUS.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)

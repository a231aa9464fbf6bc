"""Peak memory of a block of code: the memory of the GPU, or the growth of the resident set of the process."""

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
        size: Peak in bytes, set when the block ends.
        kind: Kind of memory in words, :data:`CUDA` or :data:`RESIDENT`.
    """

    def __init__(self, kind: str) -> None:
        self.size, self.kind = 0, kind


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the peak memory of a block.

    With a GPU this is the peak of the memory that PyTorch has allocated on it, tensors from before the block included.
    Without one it is the growth of the resident set over its size before the block: on Linux it is read every 5 ms, on
    other systems only the highest size since the start of the process is known.
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
    """Return freed memory to the system. Otherwise a block that reuses it would not make the resident set grow."""
    if sys.platform == 'linux':
        gc.collect()
        with suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL('libc.so.6').malloc_trim(0)


def resident() -> int:
    """Return the size of the resident set of this process in bytes; on systems other than Linux its highest size."""
    if _STATUS.exists():
        return int(_STATUS.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)

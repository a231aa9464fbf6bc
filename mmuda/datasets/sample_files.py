"""Decoded samples in files of the cache folder, up to a maximum size.

A file is one line of text, followed by the bytes of the arrays. The line holds Python literals and its own CRC. The
literals are all values that are not arrays, and name, dtype, shape and CRC of each array. Nothing is executed. Files
are read, not memory-mapped: the copy takes a fraction of a millisecond, and a file that disappears from a network drive
raises an error, whereas a map would kill the process.
"""

import ast
import logging
import math
import os
import shutil
import time
import uuid
import zlib
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from mmuda.ranks import rank_and_world_size

from .cache import CACHE_DIR_VARIABLE, cache_dir

LEFT_FREE = 4 * 10**9
"""Bytes of the disk that stay free, for checkpoints."""

DAY = 24 * 3600
UNUSED = 7 * DAY
"""Seconds after which a file that was not read can be removed to make room."""


class SampleFiles:
    """The folder ``samples`` of the cache folder. Many processes of many runs can share it.

    Files are written atomically. Each process compares the checksums when it reads a file for the first time. This
    takes 1 ms for 1280x720, and the reading 0.5 ms if the file is in memory. A damaged file counts as missing. If there
    is no more room, files that were not read for a week are removed. If there is still no room, or a file cannot be
    written, no more files are written, which is logged once.

    Args:
        max_bytes: Maximum size of all files in the folder together, in bytes, whichever run wrote them.

    Raises:
        ValueError: If the number is not positive.
    """

    def __init__(self, max_bytes: float) -> None:
        if not max_bytes > 0:
            raise ValueError(f'cache_bytes must be a positive number of bytes, such as 100e9, but got {max_bytes!r}')
        self.max_bytes = max_bytes
        self.folder = cache_dir() / 'samples'
        self.problem: str | None = None
        """Reason why no more files are written; None while they are written."""
        self._share = 0.0
        self._compared: set[str] = set()

    def read(self, key: str) -> dict[str, Any] | None:
        """Return the values under a key, whose arrays the caller can change; None if there is no valid file."""
        path = self.folder / key
        try:
            with open(path, 'rb') as file:
                head, _, checksum = file.readline().rstrip(b'\n').rpartition(b'#')
                if zlib.crc32(head) != int(checksum):
                    raise ValueError('its first line is damaged')
                values, arrays = ast.literal_eval(head.decode())
                for name, dtype, shape, crc in arrays:
                    values[name] = np.fromfile(file, dtype, math.prod(shape)).reshape(shape)
                    if key not in self._compared and zlib.crc32(values[name]) != crc:
                        raise ValueError(f'{name} is damaged')
                unused = time.time() - os.fstat(file.fileno()).st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            log_once(f'files in {self.folder} cannot be read ({error.strerror}): their images are decoded again')
            return None
        except ValueError as error:
            print_log(f'{path} cannot be used, the image is decoded again: {error}', 'current', logging.WARNING)
            return None
        self._compared.add(key)
        if unused > DAY:
            with suppress(OSError):  # the file belongs to another user, or the disk is read-only
                os.utime(path)
        return values

    def write(self, key: str, values: dict[str, Any]) -> None:
        """Write values under a key, if there is room.

        Args:
            key: Name of the file: a fingerprint of everything that the values depend on.
            values: Arrays of numbers, and Python literals. If there are others, nothing is written, and this is logged
                once.
        """
        if self.problem is not None:
            return
        arrays = {name: np.asarray(value, order='C') for name, value in values.items() if isinstance(value, np.ndarray)}
        others = {name: value for name, value in values.items() if name not in arrays}
        if not _is_literal(others) or any(array.dtype.hasobject for array in arrays.values()):
            log_once('samples that hold more than arrays and plain values are not cached')
            return
        told = [(name, array.dtype.str, array.shape, zlib.crc32(array.data)) for name, array in arrays.items()]
        head = repr((others, told)).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._has_room(len(head) + sum(array.nbytes for array in arrays.values())):
                self._stop(f'is full (cache_bytes={self.max_bytes:g}; {LEFT_FREE:g} bytes of the disk stay free)')
                return
            # whole_file names its draft by the process id, which processes on two machines can have in common.
            draft = self.folder / f'.{uuid.uuid4().hex}.tmp'
            try:
                with open(draft, 'wb') as file:
                    file.write(head + b'#%d\n' % zlib.crc32(head))
                    for array in arrays.values():
                        file.write(array.data)
                os.replace(draft, self.folder / key)  # no fsync: checksums reveal damage by a power cut
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            self._stop(f'cannot be written ({error})')

    def _has_room(self, size: int) -> bool:
        """Return whether there is room for a file. The folder is measured when this process has used up its share."""
        if size > self._share:
            worker = get_worker_info()
            # All processes of this run write at the same time, and perhaps those of a second run, hence the 2.
            writers = 2 * rank_and_world_size()[1] * (1 if worker is None else worker.num_workers)
            room = self._room(self.used())
            if room < size * writers:
                room = self._room(self.used(keep=UNUSED))
            self._share = room / writers
        if size > self._share:
            return False
        self._share -= size
        return True

    def used(self, keep: float = math.inf) -> int:
        """Remove files that were not read for more than ``keep`` seconds, and return the bytes of the others."""
        used, now = 0, time.time()
        for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
            with suppress(OSError):  # another process removed the file, or it belongs to another user
                status = entry.stat()
                used += status.st_size
                if now - status.st_mtime > keep:
                    os.unlink(entry)
                    used -= status.st_size
        return used

    def _room(self, used: int) -> float:
        return min(self.max_bytes - used, shutil.disk_usage(self.folder).free - LEFT_FREE)

    def _stop(self, problem: str) -> None:
        self.problem = (
            f'{self.folder} {problem}: images that are not in it are decoded each time. Free disk space, '
            f'increase cache_bytes, or set {CACHE_DIR_VARIABLE} to another folder'
        )
        log_once(self.problem)


@cache
def log_once(text: str) -> None:
    """Log a warning once per process, and only in the first worker of a data loader."""
    worker = get_worker_info()
    if worker is None or worker.id == 0:
        print_log(text, 'current', logging.WARNING)


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (SyntaxError, ValueError):
        return False

"""Decoded samples, kept in files of the cache folder until they take too much room.

A file is a line of text, then the bytes of the arrays. The line holds its own CRC and Python literals: the values that
are no arrays, and name, type, shape and CRC of each array. Nothing in it is executed. Files are read, not mapped: the
copy takes a fraction of a millisecond, and a file that vanishes from a network drive is an error, not a dead process.
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
"""Bytes of the disk that are left free for checkpoints."""

DAY = 24 * 3600
UNUSED = 7 * DAY
"""Seconds after which a file that nobody has read may be removed for a new one."""


class SampleFiles:
    """The folder ``samples`` of the cache folder; many processes of many runs may use it at a time.

    A file appears whole. Its checksums are compared when a process reads it for the first time, which takes a
    millisecond for 1280x720 (the reading itself half of one, from memory); a damaged one counts as missing. When there
    is no more room, files that were not used for a week are removed; if that does not help, no more are written, which
    is logged once. So is any error of writing.

    Args:
        max_bytes: Most bytes of all files in the folder, by whichever run they were written.

    Raises:
        ValueError: If the number is not positive.
    """

    def __init__(self, max_bytes: float) -> None:
        if not max_bytes > 0:
            raise ValueError(f'cache_bytes must be a positive number of bytes, such as 100e9, but got {max_bytes!r}')
        self.max_bytes = max_bytes
        self.folder = cache_dir() / 'samples'
        self.problem: str | None = None
        """Why no more files are written."""
        self._share = 0.0
        self._compared: set[str] = set()

    def read(self, key: str) -> dict[str, Any] | None:
        """Return the values under a key, arrays of which the caller may change; None if there is no sound file."""
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
            with suppress(OSError):  # of another user, or on a disk that cannot be written
                os.utime(path)
        return values

    def write(self, key: str, values: dict[str, Any]) -> None:
        """Keep values under a key, if there is room.

        Args:
            key: Name of the file, a fingerprint of all that the values depend on.
            values: Arrays of numbers, and Python literals; others are not kept, which is logged once.
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
            # Processes of several machines may have one number, so the draft is not that of whole_file.
            draft = self.folder / f'.{uuid.uuid4().hex}.tmp'
            try:
                with open(draft, 'wb') as file:
                    file.write(head + b'#%d\n' % zlib.crc32(head))
                    for array in arrays.values():
                        file.write(array.data)
                os.replace(draft, self.folder / key)  # no fsync: checksums find what a power cut leaves
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            self._stop(f'cannot be written ({error})')

    def _has_room(self, size: int) -> bool:
        """Return whether a file may be written; the folder is looked at when a share of its room is used up."""
        if size > self._share:
            worker = get_worker_info()
            # All processes of this run write at a time, and perhaps those of a second one.
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
        """Return the bytes of all files; remove those that were not used for more than ``keep`` seconds."""
        used, now = 0, time.time()
        for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
            with suppress(OSError):  # another process removed it, or it is another user's
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
            f'{self.folder} {problem}: images that are not in it are decoded each time. Make room, allow more '
            f'cache_bytes, or set {CACHE_DIR_VARIABLE} to another folder'
        )
        log_once(self.problem)


@cache
def log_once(text: str) -> None:
    """Log a warning, in the first of all workers, unless this process has logged it."""
    worker = get_worker_info()
    if worker is None or worker.id == 0:
        print_log(text, 'current', logging.WARNING)


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (SyntaxError, ValueError):
        return False

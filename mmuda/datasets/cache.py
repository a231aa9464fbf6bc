"""Facts about data sets, kept in the cache folder until a file changes.

Each entry is a JSON file with one answer, such as the pixel counts of all classes. The file name is a fingerprint of
everything that the answer depends on. A damaged file, or one with another fingerprint, counts as missing and is written
again.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from mmengine.logging import print_log

from mmuda.files import write_json
from mmuda.zip_files import absolute, stamp

from .image_files import file_of

CACHE_DIR_VARIABLE = 'MMUDA_CACHE_DIR'
THREADS = 8
CHUNK = 256

T = TypeVar('T')
R = TypeVar('R')


def cache_dir() -> Path:
    """Return the cache folder: the environment variable ``MMUDA_CACHE_DIR``, or ``~/.cache/mmuda``."""
    return Path(os.environ.get(CACHE_DIR_VARIABLE) or '~/.cache/mmuda').expanduser()


def fingerprint(content: Any) -> str:
    """Return the SHA-256 of plain values, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def read_entry(kind: str, key: str) -> Any:
    """Return the content of an entry, or None if there is no valid one.

    Args:
        kind: Kind of the answer. Each kind has a folder of this name.
        key: Fingerprint of everything that the answer depends on.
    """
    try:
        entry = json.loads(_path(kind, key).read_text(encoding='utf-8'))
        sound = entry['fingerprint'] == key and entry['checksum'] == fingerprint(entry['content'])
        return entry['content'] if sound else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_entry(kind: str, key: str, content: Any) -> None:
    """Write an answer to the cache. A folder that cannot be written is logged; the answer is then computed each time.

    Args:
        kind: As in :func:`read_entry`.
        key: As in :func:`read_entry`.
        content: Values that JSON can hold, without tuples (JSON returns them as lists).
    """
    path = _path(kind, key)
    try:
        write_json(path, dict(fingerprint=key, checksum=fingerprint(content), content=content), indent=None)
    except OSError as error:
        print_log(
            f'{path.parent} cannot be written ({error}), so the files are read again next time; set '
            f'{CACHE_DIR_VARIABLE} to a writable folder',
            logger='current',
        )


def file_stamps(paths: Sequence[str | None]) -> list[list | None]:
    """Return :func:`file_stamp` of each image."""
    return list(map_in_threads(file_stamp, paths))


def file_stamp(path: str | None) -> list | None:
    """Return the absolute path of an image and the :func:`~mmuda.zip_files.stamp` of its file; None for None.

    The stamp is the size and the modification time, or the checksum in a zip archive. A missing file has none.
    """
    return None if path is None else [absolute(path), *stamp(file_of(path))[1:]]


def map_in_threads(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield ``work(item)`` for each item, in order. Threads take chunks of items, because each call is short."""
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    with ThreadPoolExecutor(THREADS) as pool:
        for results in pool.map(lambda chunk: [work(item) for item in chunk], chunks):
            yield from results


def _path(kind: str, key: str) -> Path:
    return cache_dir() / kind / f'{key[:32]}.json'

"""Do the image and the label of every pair exist and have the same size? Asked before training
starts."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.utils import ProgressBar

from mmuda.files import write_atomically

from ..image_files import image_size

CACHE_DIR_VARIABLE = 'MMUDA_CACHE_DIR'

_CACHE_FORMAT = 1
_THREADS = 8
_CHUNK = 256
_PROGRESS_FROM = 3000

MISSING, UNREADABLE, DIFFERENT = 'file missing', 'file unreadable', 'sizes differ'

Pair = tuple[str, str | None]


class Problem(NamedTuple):
    """Why a pair cannot be used: a kind to count by, and the details."""

    kind: str
    detail: str


def cache_dir() -> Path:
    """Where mmuda keeps what it found out about data sets; ``MMUDA_CACHE_DIR`` moves it."""
    return Path(os.environ.get(CACHE_DIR_VARIABLE) or '~/.cache/mmuda').expanduser()


def find_problems(pairs: Sequence[Pair], name: str = 'data set') -> dict[int, Problem]:
    """Look at all pairs, by their headers only, and remember the answer in the cache folder.

    The answer is found again as long as no name, file size or modification time changes. Every
    process looks for itself: reading is harmless, and a data set that is built by one rank alone
    must not wait for others.

    Args:
        pairs: (image, label or None) file names on a local disk.
        name: Of the data set, for the log.

    Returns:
        The problem by index into ``pairs``, for those that have one.
    """
    stamps = [stamp for chunk in _in_threads(_stamps, pairs) for stamp in chunk]
    digest = hashlib.sha256(json.dumps([_CACHE_FORMAT, stamps]).encode()).hexdigest()
    cached = cache_dir() / 'pair_check' / f'{digest[:32]}.json'
    problems = _read_cache(cached)
    if problems is None:
        problems = _look(pairs, name)
        # A disk that failed to answer may answer next time.
        if all(problem.kind != UNREADABLE for problem in problems.values()):
            _write_cache(cached, problems)
    return problems


def _look(pairs: Sequence[Pair], name: str) -> dict[int, Problem]:
    bar = None
    if len(pairs) >= _PROGRESS_FROM and is_main_process():
        print_log(
            f'{name}: comparing the sizes of {len(pairs)} images and labels (once; the '
            f'result is kept in {cache_dir()})',
            logger='current',
        )
        bar = ProgressBar(len(pairs), file=sys.stderr)
    found: list[Problem | None] = []
    for chunk in _in_threads(_problems, pairs):
        found.extend(chunk)
        if bar is not None:
            bar.update(len(chunk))
    if bar is not None:
        bar.file.write('\n')
    return {index: problem for index, problem in enumerate(found) if problem is not None}


def _in_threads(work: Callable[[Sequence[Pair]], list], pairs: Sequence[Pair]) -> Iterator[list]:
    chunks = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(work, chunks)


def _stamps(pairs: Sequence[Pair]) -> list[list]:
    return [[_stamp(path) for path in pair] for pair in pairs]


def _stamp(path: str | None) -> list | None:
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return [os.path.abspath(path)]
    return [os.path.abspath(path), status.st_size, status.st_mtime_ns]


def _problems(pairs: Sequence[Pair]) -> list[Problem | None]:
    return [_problem(image, label) for image, label in pairs]


def _problem(image: str, label: str | None) -> Problem | None:
    missing = [path for path in (image, label) if path is not None and not os.path.isfile(path)]
    if missing:
        return Problem(MISSING, f'{" and ".join(missing)} missing')
    if label is None:
        return None
    sizes = []
    for path in (image, label):
        try:
            sizes.append(image_size(path))
        except (OSError, SyntaxError, ValueError):
            return Problem(UNREADABLE, f'{path} is empty, damaged or no image')
    if sizes[0] != sizes[1]:
        told = [f'{width}x{height}' for width, height in sizes]
        return Problem(DIFFERENT, f'{image} is {told[0]}, {label} is {told[1]}')
    return None


def _read_cache(path: Path) -> dict[int, Problem] | None:
    try:
        entries = json.loads(path.read_text(encoding='utf-8'))['problems']
        return {int(index): Problem(str(kind), str(detail)) for index, kind, detail in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cache(path: Path, problems: dict[int, Problem]) -> None:
    entries = [[index, *problem] for index, problem in problems.items()]
    try:
        write_atomically(path, json.dumps({'problems': entries}).encode())
    except OSError as error:
        # The answer itself is fine; it only has to be found again next time.
        print_log(
            f'{path.parent} cannot be written ({error}): sizes will be compared again next '
            f'time; set {CACHE_DIR_VARIABLE} to a folder that can',
            logger='current',
        )

"""Check before training that the image and the label of every pair exist and have the same size."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmuda.progress import progress
from mmuda.zip_files import is_file

from ..cache import cache_dir, file_stamps, fingerprint, map_in_threads, read_entry, write_entry
from ..image_files import image_size

_KIND, _FORMAT = 'pair_check', 2
_PROGRESS_FROM = 3000

MISSING, UNREADABLE, DIFFERENT = 'file missing', 'file unreadable', 'sizes differ'

Pair = tuple[str, str | None]


class Problem(NamedTuple):
    """Why a pair cannot be used: a kind to count by, and the details."""

    kind: str
    detail: str


def find_problems(pairs: Sequence[Pair], name: str = 'data set') -> dict[int, Problem]:
    """Return the problem of each pair that has one, by index, and keep the answer in the cache folder.

    Only headers are read. A kept answer holds as long as no name, file size or modification time changes. Every
    process looks for itself: reading is harmless, and a data set that one process alone builds must not wait for
    others.

    Args:
        pairs: (image, label or None) file names on a local disk or in zip archives.
        name: Name of the data set, for the log.
    """
    stamps = file_stamps([path for pair in pairs for path in pair])
    key = fingerprint([_FORMAT, stamps])
    kept = read_entry(_KIND, key)
    if kept is not None:
        return {index: Problem(kind, detail) for index, kind, detail in kept}
    problems = _look(pairs, name)
    # A disk that failed to answer may answer next time.
    if all(problem.kind != UNREADABLE for problem in problems.values()):
        write_entry(_KIND, key, [[index, *problem] for index, problem in problems.items()])
    return problems


def _look(pairs: Sequence[Pair], name: str) -> dict[int, Problem]:
    found: Iterable[Problem | None] = map_in_threads(_problem, pairs)
    if len(pairs) >= _PROGRESS_FROM:
        if is_main_process():
            print_log(
                f'{name}: comparing the sizes of {len(pairs)} images and labels (once; the result is kept in '
                f'{cache_dir()})',
                logger='current',
            )
        found = progress(found, len(pairs), f'{name}, sizes', 'pairs')
    return {index: problem for index, problem in enumerate(found) if problem is not None}


def _problem(pair: Pair) -> Problem | None:
    image, label = pair
    missing = [path for path in pair if path is not None and not is_file(path)]
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

"""Check before training that the image and the label of every pair exist and have the same size."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmuda.progress import progress
from mmuda.zip_files import is_file, is_zipped

from ..cache import cache_dir, file_stamps, fingerprint, map_in_threads, read_entry, write_entry
from ..image_files import file_of, image_size

_KIND, _FORMAT = 'pair_check', 3
_PROGRESS_FROM = 3000

MISSING, UNREADABLE, DIFFERENT = 'file missing', 'file unreadable', 'sizes differ'

KEEP_ORIENTATION = (
    "if the label was drawn on the image that is not turned, load images with dict(type='LoadDomainImage', "
    "color_type='color_ignore_orientation')"
)

Pair = tuple[str, str | None]


class Problem(NamedTuple):
    """Why a pair cannot be used: a kind to count by, and the details."""

    kind: str
    detail: str


def in_reach(folder: str, backend_args: Mapping | None = None) -> bool:
    """Return whether headers in a folder can be looked at: it is on a local disk, or in a zip archive there."""
    backend = (backend_args or {}).get('backend', 'local')
    return backend == 'local' and ('://' not in folder or is_zipped(folder))


def find_problems(pairs: Sequence[Pair], name: str = 'data set', oriented: bool = True) -> dict[int, Problem]:
    """Return the problem of each pair that has one, by index, and keep the answer in the cache folder.

    Only headers are read. A kept answer holds as long as no name, file size or modification time changes. Every
    process looks for itself: reading is harmless, and a data set that one process alone builds must not wait for
    others.

    Args:
        pairs: (image, label or None) file names on a local disk or in zip archives.
        name: Name of the data set, for the log.
        oriented: Whether images are turned by their EXIF orientation.
    """
    stamps = file_stamps([path for pair in pairs for path in pair])
    key = fingerprint([_FORMAT, stamps, oriented])
    kept = read_entry(_KIND, key)
    if kept is not None:
        return {index: Problem(kind, detail) for index, kind, detail in kept}
    problems = _look(pairs, name, oriented)
    # A disk that failed to answer may answer next time.
    if all(problem.kind != UNREADABLE for problem in problems.values()):
        write_entry(_KIND, key, [[index, *problem] for index, problem in problems.items()])
    return problems


def _look(pairs: Sequence[Pair], name: str, oriented: bool) -> dict[int, Problem]:
    found: Iterable[Problem | None] = map_in_threads(partial(_problem, oriented=oriented), pairs)
    if len(pairs) >= _PROGRESS_FROM:
        if is_main_process():
            print_log(
                f'{name}: comparing the sizes of {len(pairs)} images and labels (once; the result is kept in '
                f'{cache_dir()})',
                logger='current',
            )
        found = progress(found, len(pairs), f'{name}, sizes', 'pairs')
    return {index: problem for index, problem in enumerate(found) if problem is not None}


def _problem(pair: Pair, oriented: bool) -> Problem | None:
    image, label = pair
    missing = [path for path in pair if path is not None and not is_file(file_of(path))]
    if missing:
        return Problem(MISSING, f'{" and ".join(missing)} missing')
    if label is None:
        return None
    sizes = []
    for path in (image, label):
        try:
            sizes.append(image_size(path, oriented or path == label))
        except (OSError, SyntaxError, ValueError) as error:
            # Errors of ours name the file and say what is wrong in it.
            known = isinstance(error, ValueError) and path in str(error)
            return Problem(UNREADABLE, str(error) if known else f'{path} is empty, damaged or no image')
    if sizes[0] != sizes[1]:
        told = [f'{width}x{height}' for width, height in sizes]
        hint = ''
        if oriented and sizes[0] == sizes[1][::-1] and image_size(image, False) == sizes[1]:
            hint = f' as {image} is before its EXIF orientation turns it: {KEEP_ORIENTATION}'
        return Problem(DIFFERENT, f'{image} is {told[0]}, {label} is {told[1]}{hint}')
    return None

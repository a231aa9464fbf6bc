"""Check before training that the image and the label of every pair exist and have the same size."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmuda.progress import progress
from mmuda.settings import shortened
from mmuda.zip_files import is_file

from ..cache import cache_dir, file_stamps, fingerprint, map_in_threads, read_entry, write_entry
from ..image_files import file_of, image_size

_KIND, _FORMAT = 'pair_check', 3
_PROGRESS_FROM = 3000
_LISTED = 20

MISSING, UNREADABLE, DIFFERENT = 'file missing', 'file unreadable', 'sizes differ'

KEEP_ORIENTATION = (
    "if the label was drawn without this orientation, load images with dict(type='LoadDomainImage', "
    "color_type='color_ignore_orientation')"
)

Pair = tuple[str, str | None]


class Problem(NamedTuple):
    """The reason why a pair cannot be used: its kind, by which problems are counted, and the details."""

    kind: str
    detail: str


def find_problems(pairs: Sequence[Pair], name: str = 'data set', oriented: bool = True) -> dict[int, Problem]:
    """Return the problem of each pair that has one, by index, and keep the result in the cache folder.

    Only headers are read. A cached result is valid until a name, file size or modification time changes. Every process
    checks the files itself: reading is harmless, and a data set that only one process builds must not wait for the
    other processes.

    Args:
        pairs: (image, label or None): paths on a local disk or in zip archives.
        name: Name of the data set, for the log.
        oriented: Whether the EXIF orientation of images is applied when they are loaded.
    """
    stamps = file_stamps([path for pair in pairs for path in pair])
    key = fingerprint([_FORMAT, stamps, oriented])
    kept = read_entry(_KIND, key)
    if kept is not None:
        return {index: Problem(kind, detail) for index, kind, detail in kept}
    problems = _look(pairs, name, oriented)
    # A file that cannot be read now, such as one on a failing disk, may be readable next time.
    if all(problem.kind != UNREADABLE for problem in problems.values()):
        write_entry(_KIND, key, [[index, *problem] for index, problem in problems.items()])
    return problems


def told_problems(problems: Sequence[Problem], total: int, name: str) -> str:
    """Return as text how many pairs cannot be used and why, with the details of the first 20.

    Args:
        problems: Problems of the pairs that cannot be used.
        total: Number of all pairs.
        name: Name of the data set.
    """
    counts = Counter(problem.kind for problem in problems)
    told = ', '.join(f'{kind}: {count}' for kind, count in counts.items())
    details = shortened([problem.detail for problem in problems], _LISTED)
    return f'{name}: {len(problems)} of {total} image-label pairs cannot be used ({told}):' + ''.join(
        f'\n  {detail}' for detail in details
    )


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
            # ValueErrors of mmuda name the file and the fault; other errors do not.
            known = isinstance(error, ValueError) and path in str(error)
            return Problem(UNREADABLE, str(error) if known else f'{path} is empty, damaged or not an image')
    if sizes[0] != sizes[1]:
        told = [f'{width}x{height}' for width, height in sizes]
        hint = ''
        if oriented and sizes[0] == sizes[1][::-1] and image_size(image, False) == sizes[1]:
            hint = f' as is {image} without its EXIF orientation: {KEEP_ORIENTATION}'
        return Problem(DIFFERENT, f'{image} is {told[0]}, {label} is {told[1]}{hint}')
    return None

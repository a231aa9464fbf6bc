"""Images below a folder, and the other files there with the reason why they are not used."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mmuda.datasets.array_files import is_volume, slices_of
from mmuda.datasets.image_files import IMAGE_SUFFIXES

JPEG = ('.jpg', '.jpeg')

NO_IMAGE, EMPTY, BROKEN_LINK, ODD_NAME = 'not an image', 'an empty file', 'a broken link', 'a name unfit for a list'

LeftOut = dict[str, list[str]]
"""Names of files by the reason why they are not used."""


ARCHIVES = frozenset({'.zip', '.tar', '.gz', '.tgz', '.7z', '.rar'})
"""Suffixes of archives."""


@dataclass
class Files:
    """Images below a folder.

    Attributes:
        folder: Absolute path of the folder.
        names: Names of the images relative to the folder, sorted.
        left_out: Other files.
    """

    folder: Path
    names: list[str] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=dict)


def find_files(folder: str | Path, without: str | Path | None = None) -> Files:
    """Find images in a folder and in the folders below, also through symbolic links.

    Hidden files and folders are skipped. A folder is searched only once, even if several links lead to it. Each slice
    of a NIfTI volume is an image, such as ``volume.nii.gz/012``.

    Args:
        folder: The folder.
        without: A folder below it that is not searched.

    Raises:
        FileNotFoundError: If there is no such folder.
        NotADirectoryError: If it is a file.
    """
    root = Path(os.path.abspath(Path(folder).expanduser()))
    if not root.exists():
        raise FileNotFoundError(f'{root} does not exist: give a folder of images')
    if not root.is_dir():
        packed = root.suffix.lower() in ARCHIVES
        remedy = 'unpack it, and give its folder' if packed else 'give the folder that it is in'
        raise NotADirectoryError(f'{root} is {"an archive" if packed else "a file"}: {remedy}')
    found = Files(root)
    for path in _files(root, None if without is None else os.path.realpath(without)):
        name = path.relative_to(root).as_posix()
        reason = _reason(path, name)
        ends = _ends(path) if reason is None else []
        found.names += [name + end for end in ends]
        if not ends:
            found.left_out.setdefault(reason or NO_IMAGE, []).append(name)
    found.names.sort()
    return found


def suffixes_of(names: list[str]) -> str:
    """Return the suffixes of files with their numbers above 1, such as ``.txt 3, .json``."""
    counts = Counter(Path(name).suffix.lower() or 'without a suffix' for name in names)
    return ', '.join(suffix if count == 1 else f'{suffix} {count}' for suffix, count in counts.most_common())


def is_listable(name: str) -> bool:
    """Return whether a line of a list can hold a name.

    Such a name is valid UTF-8, does not begin with ``#``, and has no line breaks, no tabs, and no blanks at its ends.
    """
    encodable = not any('\udc80' <= letter <= '\udcff' for letter in name)
    return (
        encodable
        and name == name.strip()
        and not name.startswith('#')
        and len(name.splitlines()) == 1
        and ('\t' not in name)
    )


def _files(root: Path, without: str | None) -> Iterator[Path]:
    seen = {os.path.realpath(root)}
    for here, folders, names in os.walk(root, followlinks=True):
        kept = []
        for name in sorted(folders):
            path = os.path.realpath(os.path.join(here, name))
            if _hidden(name) or path in seen or path == without:
                continue
            if os.path.islink(os.path.join(here, name)) and _is_below(path, os.path.realpath(root)):
                continue  # it is searched at its own place
            seen.add(path)
            kept.append(name)
        folders[:] = kept
        yield from (Path(here, name) for name in sorted(names) if not _hidden(name))


def _hidden(name: str) -> bool:
    return name.startswith('.') or name in ('__MACOSX', 'Thumbs.db', 'desktop.ini')


def _is_below(path: str, root: str) -> bool:
    return os.path.commonpath([path, root]) == root


def _ends(path: Path) -> list[str]:
    """Return the endings that the images of a file add to its name: ``['']``, or the slices of a volume."""
    if not is_volume(str(path)):
        return ['']
    try:
        return [name[len(str(path)) :] for name in slices_of(str(path))]
    except (OSError, ValueError):  # damaged, or with more dimensions
        return []


def _reason(path: Path, name: str) -> str | None:
    if not path.name.lower().endswith(IMAGE_SUFFIXES):
        return NO_IMAGE
    if not is_listable(name):
        return ODD_NAME
    try:
        return None if path.stat().st_size else EMPTY
    except OSError:
        return BROKEN_LINK

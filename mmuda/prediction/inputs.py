"""Images that a command line names: files, folders, patterns, lists and videos. Each image gets a unique name."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mmuda.datasets.image_files import IMAGE_SUFFIXES

from .videos import count_frames

IMAGES = frozenset(IMAGE_SUFFIXES) - {'.npz', '.nii', '.nii.gz'}
"""Suffixes of files that hold one image, in lower case. Folders can also hold other files, which are not used."""

LISTS = frozenset({'.txt', '.lst'})
VIDEOS = frozenset('.mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg'.split())


class Entry(NamedTuple):
    """An image to predict.

    Attributes:
        path: Absolute path of the file.
        name: Unique name of its outputs below the output folder, without suffix.
        frame: Number of the frame of a video, from 0; None for an image file.
    """

    path: str
    name: str
    frame: int | None = None


class Found(NamedTuple):
    """The images that some arguments name.

    Attributes:
        entries: Images, sorted by name.
        others: Number of files in folders that are neither images nor videos.
    """

    entries: list[Entry]
    others: int


def find_images(arguments: Sequence[str | Path], out: str | Path | None = None, every: int = 1) -> Found:
    """Return the images that arguments name, each of them once.

    Outputs have the folders of the images, relative to the deepest folder that contains all arguments. If a folder is
    the only argument, this is the folder itself. If two files of a folder differ only in their suffix, all outputs of
    this folder have the suffix in their names.

    Args:
        arguments: Image files; folders, which are searched recursively; patterns with ``*``, ``**``, ``?`` or
            ``[...]``; lists (``.txt``, ``.lst``) with one path in each line, relative to the list or to the working
            directory; videos.
        out: Folder of the outputs. Files in it are not used as inputs.
        every: Take every n-th frame of videos.

    Raises:
        FileNotFoundError: If an argument or a line of a list does not exist, or if there is no image at all.
        ValueError: If the suffix of a file is not known, or ``every`` is below 1.
    """
    if every < 1:
        raise ValueError(f'every={every}: take every frame of a video (1), every second one (2), and so on')
    search = _Search(None if out is None else os.path.abspath(out))
    for argument in arguments:
        search.add(os.fspath(argument))
    files = list(dict.fromkeys(search.files))
    if not files:
        raise FileNotFoundError(
            f'no image was found in {", ".join(map(str, arguments)) or "nothing"}: give image files '
            f'({", ".join(sorted(IMAGES))}), folders, patterns, lists (.txt) or videos'
        )
    root = os.path.commonpath(search.roots)
    entries = []
    for path, name in zip(files, names_of(os.path.relpath(path, root) for path in files), strict=True):
        if _ending(path) in VIDEOS:
            # The name keeps its suffix, so that no folder beside the video has the same name.
            folder = os.path.join(os.path.dirname(name), os.path.basename(path))
            entries += [Entry(path, f'{folder}/{number:06d}', number) for number in range(0, count_frames(path), every)]
        else:
            entries.append(Entry(path, name))
    return Found(sorted(entries, key=lambda entry: entry.name), search.others)


def names_of(paths: Iterable[str]) -> list[str]:
    """Return a unique name for each of several relative paths: without its suffix if the folder stays unambiguous.

    Args:
        paths: Paths with ``/`` or the separator of the system.
    """
    paths = [path.replace(os.sep, '/') for path in paths]
    short = [os.path.splitext(path)[0] for path in paths]
    # Compare without case, because some file systems ignore it.
    counts = Counter(name.lower() for name in short)
    unclear = {os.path.dirname(name).lower() for name in short if counts[name.lower()] > 1}
    return [path if os.path.dirname(path).lower() in unclear else name for path, name in zip(paths, short, strict=True)]


class _Search:
    """Files in the order of the arguments, and the folders that the names of outputs are relative to."""

    def __init__(self, out: str | None) -> None:
        self.out = out
        self.files: list[str] = []
        self.roots: list[str] = []
        self.others = 0

    def add(self, argument: str) -> None:
        path = os.path.abspath(os.path.expanduser(argument))
        if os.path.isdir(path):
            self._add_folder(path)
        elif os.path.isfile(path):
            self._add_file(path, argument)
        elif glob.has_magic(argument):
            found = sorted(glob.glob(os.path.expanduser(argument), recursive=True))
            if not found:
                raise FileNotFoundError(f'no file matches the pattern {argument!r}')
            for name in found:
                if os.path.isdir(name):
                    self._add_folder(os.path.abspath(name))
                elif _ending(name) in IMAGES | VIDEOS:
                    self._take(os.path.abspath(name))
                else:
                    self.others += 1
        else:
            raise FileNotFoundError(
                f'{argument} does not exist: give images, folders of images, patterns, lists (.txt) or videos'
            )

    def _add_file(self, path: str, argument: str) -> None:
        ending = _ending(path)
        if ending in LISTS:
            for listed in _lines(path):
                self._take(listed)
        elif ending in IMAGES | VIDEOS:
            self._take(path)
        else:
            raise ValueError(
                f'{argument} ends with {ending or "nothing"!r}: images end with {", ".join(sorted(IMAGES))}, lists '
                f'with {", ".join(sorted(LISTS))}, videos with {", ".join(sorted(VIDEOS))}'
            )

    def _take(self, path: str) -> None:
        self.files.append(path)
        self.roots.append(os.path.dirname(path))

    def _add_folder(self, folder: str) -> None:
        self.roots.append(folder)
        for path in _walk(folder, self.out):
            if _ending(path) in IMAGES | VIDEOS:
                self.files.append(path)
            else:
                self.others += 1


def _walk(folder: str, out: str | None) -> Iterator[str]:
    """Yield the files below a folder in order, also through links, without hidden files and files below ``out``."""
    seen = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(
            name for name in folders if not name.startswith('.') and os.path.abspath(os.path.join(here, name)) != out
        )
        yield from (os.path.join(here, name) for name in sorted(files) if not name.startswith('.'))


def _lines(path: str) -> Iterator[str]:
    """Yield the files that a list names. If a whole line is no file, its first word is used (``image label`` pairs)."""
    folders = (os.path.dirname(path), os.getcwd())
    with open(path, encoding='utf-8-sig') as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if not text or text.startswith('#'):
                continue
            places = (os.path.join(folder, name) for name in (text, text.split()[0]) for folder in folders)
            found = next((place for place in places if os.path.isfile(place)), None)
            if found is None:
                raise FileNotFoundError(
                    f'{path}, line {number}: {text} does not exist, neither in {folders[0]} nor in {folders[1]}'
                )
            if _ending(found) not in IMAGES | VIDEOS:
                raise ValueError(f'{path}, line {number}: {text} has the suffix of neither an image nor a video')
            yield os.path.abspath(found)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()

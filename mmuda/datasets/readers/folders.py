"""Names of images and labels: in folders, and in text lists."""

import codecs
import os
import os.path as osp
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import mmengine.fileio as fileio

from mmuda.zip_files import is_local, is_zipped

from ..array_files import is_volume, slices_of, split_member
from ..image_files import IMAGE_SUFFIXES

Suffixes = str | Sequence[str] | None
"""Suffixes of file names, compared regardless of case; None means the suffixes of all images."""

_NO_LABELS = ('.jpg', '.jpeg')
_ENCODINGS = ((codecs.BOM_UTF16_LE, 'UTF-16'), (codecs.BOM_UTF16_BE, 'UTF-16'))


def suffix_of(name: str, suffixes: Suffixes) -> str | None:
    """Return the suffix of a file name, as written in the name; None if it ends with none of the suffixes."""
    lower = name.lower()
    for suffix in _longest_first(suffixes if suffixes is None or isinstance(suffixes, str) else tuple(suffixes)):
        if lower.endswith(suffix):
            return name[len(name) - len(suffix) :]
    return None


@lru_cache
def _longest_first(suffixes: str | tuple[str, ...] | None) -> list[str]:
    known = IMAGE_SUFFIXES if suffixes is None else (suffixes,) if isinstance(suffixes, str) else suffixes
    return sorted((suffix.lower() for suffix in known), key=len, reverse=True)


def stem_of(name: str, suffixes: Suffixes) -> str:
    """Return a name without its suffix."""
    suffix = suffix_of(name, suffixes)
    return name if not suffix else name[: -len(suffix)]


def list_folder(folder: str, suffixes: Suffixes, backend_args: dict | None = None) -> tuple[list[str], Counter]:
    """Return the sorted names of the images below a folder, and how many other files there are by kind (``*.txt``).

    Hidden files are skipped; links are followed.
    """
    names, others = [], Counter[str]()
    local = is_local(folder, backend_args) and not is_zipped(folder)
    listed = (
        _files_below(folder)
        if local
        else fileio.list_dir_or_file(folder, list_dir=False, recursive=True, backend_args=backend_args)
    )
    for name in listed:
        if suffix_of(name, suffixes) is not None:
            names.append(name)
        else:
            others[_kind(name)] += 1
    return sorted(names), others


def _files_below(folder: str, start: str = '') -> Iterator[str]:
    """Yield the same names as mmengine's local backend in a third of the time, as no path is made relative again."""
    for entry in os.scandir(folder):
        if not entry.name.startswith('.') and entry.is_file():
            yield start + entry.name
        elif entry.is_dir():
            yield from _files_below(entry.path, f'{start}{entry.name}/')


def told_suffixes(suffixes: Suffixes) -> str:
    """Return suffixes as text: ``*.png or *.jpg``."""
    known = ('.png', '.jpg, ...') if suffixes is None else (suffixes,) if isinstance(suffixes, str) else suffixes
    return ' or '.join(f'*{suffix}' for suffix in known)


def told_counts(counts: Counter) -> str:
    """Return counts as text, the largest first: ``12 *.txt, 1 *.JPG``."""
    return ', '.join(f'{count:,} {kind}' for kind, count in counts.most_common())


class LabelNames:
    """Look-up of label names by the stem of the image name (the name without its suffix).

    Args:
        suffixes: Suffix of label names. A single suffix is appended to the stem, whether the file exists or not;
            otherwise the label is searched in the folder.
        folder: Folder of labels.
        backend_args: Arguments of mmengine's file backend.
    """

    def __init__(self, suffixes: Suffixes, folder: str, backend_args: dict | None = None) -> None:
        self.suffixes, self.folder, self.backend_args = suffixes, folder, backend_args
        self._names: dict[str, list[str]] = {}
        if not isinstance(suffixes, str):
            for name in self.listed():
                self._names.setdefault(stem_of(name, suffixes), []).append(name)

    def listed(self) -> list[str]:
        """Return the names of all labels in the folder."""
        names = list_folder(self.folder, self.suffixes, self.backend_args)[0]
        return [name for name in names if suffix_of(name, _NO_LABELS) is None]

    def of(self, stem: str, image: str | None = None) -> str:
        """Return the name of the label of an image.

        Args:
            stem: Stem of the image name.
            image: Name of the image if it is in the same folder, so that it is not taken as its own label.

        Raises:
            ValueError: If the image has several labels.
        """
        if isinstance(self.suffixes, str):
            return stem + self.suffixes
        found = [name for name in self._names.get(stem, ()) if name != image]
        if len(found) > 1:
            raise ValueError(
                f'{self.folder} has {len(found)} labels of {stem}: {", ".join(found)}. Choose one kind, as in '
                f'seg_map_suffix={suffix_of(found[0], self.suffixes)!r}'
            )
        return found[0] if found else f'{stem}.png'


def image_names(lines: Iterable[str], suffixes: Suffixes, folder: str, backend_args: dict | None = None) -> list[str]:
    """Return the file names of the images in a list, whose lines can be with or without suffix.

    Args:
        lines: Names in the list.
        suffixes: A single suffix is appended to every name; otherwise names without suffix are searched in the folder.
        folder: Folder of the images.
        backend_args: Arguments of mmengine's file backend.
    """
    if isinstance(suffixes, str):
        return [name + suffixes for name in lines]
    lines = list(lines)
    by_stem: dict[str, str] = {}
    if any(suffix_of(name, suffixes) is None for name in lines):
        by_stem = {stem_of(name, suffixes): name for name in list_folder(folder, suffixes, backend_args)[0]}
    return [name if suffix_of(name, suffixes) else by_stem.get(name, f'{name}.png') for name in lines]


def read_list(path: str, backend_args: dict | None = None) -> list[str]:
    """Return the lines of a text file in UTF-8, with or without a byte-order mark.

    Raises:
        ValueError: If it is in another encoding.
    """
    data = fileio.get(path, backend_args=backend_args)
    mark = next((name for mark, name in _ENCODINGS if data.startswith(mark)), None)
    remedy = 'save it as UTF-8 (PowerShell: Out-File -Encoding utf8)'
    if mark is not None:
        raise ValueError(f'{path} is not text in UTF-8, but in {mark}: {remedy}')
    try:
        return data.decode('utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not a list of files: it is not text in UTF-8 ({error}); {remedy}') from None


def leaves(path: str, folders: Iterable[str | None]) -> bool:
    """Return whether a path is outside of all ``folders``, by ``..`` or as an absolute path. Links are not resolved."""
    path = osp.abspath(path)
    roots = [osp.abspath(folder) for folder in folders if folder]
    return bool(roots) and all(osp.commonpath([root, path]) != root for root in roots)


def with_slices(names: Iterable[tuple[str, str | None]], folder: str) -> list[tuple[str, str | None]]:
    """Return the names of images and labels with each volume replaced by its slices.

    Args:
        names: (image, label or None), relative to the folders of images and of labels. If the image is a volume, its
            label is one, too.
        folder: Folder of the images, on a local disk or in a zip archive.
    """
    found = []
    for image, label in names:
        if is_volume(image) and split_member(image)[1] is None:
            whole = osp.join(folder, image)
            ends = [path[len(whole) :] for path in slices_of(whole)]
            found += [(image + end, None if label is None else label + end) for end in ends]
        else:
            found.append((image, label))
    return found


def _kind(name: str) -> str:
    base = name.rsplit('/', 1)[-1]
    return f'*.{base.rsplit(".", 1)[1]}' if '.' in base else 'without suffix'

"""Files in zip archives, which are read without unpacking: mmengine's file backend for paths with ``zip://``.

``zip:///data/gta5`` is a folder of archives as downloaded. Their contents together are one tree, so
``zip:///data/gta5/images/00001.png`` is read from the archive that has ``images/00001.png``. A path can also name one
archive: ``zip:///data/gta5/01_images.zip/images/00001.png``. ``zip://data/gta5`` is relative to the working directory.
"""

import errno
import io
import os
import os.path as osp
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, BinaryIO, cast

from mmengine.fileio import BaseStorageBackend, register_backend

from .zip_tree import ZipTree, archives_at, stamps_at

PREFIX = 'zip://'

HEADER_BYTES = 1 << 16
"""Number of bytes that are unpacked when a file is opened. They nearly always contain the size of an image."""

_trees: dict[str, ZipTree] = {}


@lru_cache(maxsize=1 << 16)
def _located(folder: str) -> tuple[str, str]:
    """Split a folder into the deepest path that is or holds archives, and the folder inside of the archives."""
    place = folder
    while not archives_at(place):
        if osp.dirname(place) == place:
            raise FileNotFoundError(errno.ENOENT, 'no zip archive there or in a folder above', folder)
        place = osp.dirname(place)
    inside = '' if place == folder else osp.relpath(folder, place)
    return place, inside


def find_archives(path: str, fresh: bool = False) -> tuple[ZipTree, str]:
    """Return the archives of a path, and the path inside of them.

    Args:
        path: Path with or without ``zip://``.
        fresh: Whether the path can be a folder, and archives that have changed are read again.

    Raises:
        FileNotFoundError: If there is no archive on the path.
        OSError: If an archive is damaged.
    """
    whole = osp.abspath(str(path).removeprefix(PREFIX))
    if fresh:
        _located.cache_clear()
        folder, name = whole, ''
    else:
        folder, name = osp.split(whole)
    root, inside = _located(folder)
    tree = _trees.get(root)
    if tree is None or (fresh and tree.stamps != stamps_at(root)):
        tree = _trees[root] = ZipTree(root)
    return tree, '/'.join(part for part in (inside, name) if part)


def is_zipped(path: str | os.PathLike | None) -> bool:
    """Return whether a path names a file in an archive."""
    return path is not None and str(path).startswith(PREFIX)


def is_local(path: str | os.PathLike, backend_args: dict | None = None) -> bool:
    """Return whether files are on a local disk, or in a zip archive there, so that they can be opened directly.

    Args:
        path: A file or a folder.
        backend_args: Arguments of mmengine's file backend.
    """
    backend = (backend_args or {}).get('backend', 'local')
    return backend == 'local' and ('://' not in str(path) or is_zipped(path))


def absolute(path: str | os.PathLike) -> str:
    """Return the absolute form of a path, in an archive or not."""
    text = str(path)
    return PREFIX + osp.abspath(text.removeprefix(PREFIX)) if is_zipped(text) else osp.abspath(text)


def is_file(path: str | os.PathLike) -> bool:
    """Return whether a file exists, in an archive or not."""
    return ZipBackend().isfile(str(path)) if is_zipped(path) else osp.isfile(path)


def file_size(path: str | os.PathLike) -> int:
    """Return the number of bytes of a file; for a file in an archive, the number of unpacked bytes.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    return open_file(path).seek(0, os.SEEK_END) if is_zipped(path) else osp.getsize(path)


def stamp(path: str | os.PathLike) -> list:
    """Return values that change if a file changes: its absolute path, size and modification time in ns.

    For a file in an archive, its checksum replaces the time. For a file that does not exist, only the path is returned.
    """
    try:
        if is_zipped(path):
            tree, name = find_archives(str(path))
            member = tree.members[name]
            return [absolute(path), member.size, member.crc]
        status = os.stat(path)
    except (OSError, KeyError):
        return [absolute(path)]
    return [absolute(path), status.st_size, status.st_mtime_ns]


class PackedFile(io.RawIOBase):
    """A file in an archive. Its first bytes are unpacked when it is opened, and the rest only when it is read.

    Args:
        path: Path with or without ``zip://``.

    Raises:
        OSError: If the file does not exist or cannot be read, see :meth:`ZipTree.read`.
    """

    def __init__(self, path: str) -> None:
        self._tree, self._name = find_archives(path)
        self._data = self._tree.read(self._name, HEADER_BYTES)
        self._size = self._tree.members[self._name].size
        self._place = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it, as in a file on a disk."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes."""
        end = min(self._place + len(buffer), self._size)
        if end > len(self._data):
            self._data = self._tree.read(self._name)
        part = self._data[self._place : end]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Open a file for reading, on a disk or in an archive.

    Raises:
        OSError: If it cannot be read.
    """
    return cast(BinaryIO, io.BufferedReader(PackedFile(str(path)))) if is_zipped(path) else open(path, 'rb')


@register_backend('zip', prefixes='zip')
class ZipBackend(BaseStorageBackend):
    """mmengine's file backend for files in zip archives. It is read-only. The module explains the paths."""

    def get(self, filepath: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: If it does not exist or cannot be read, see :meth:`ZipTree.read`.
        """
        tree, name = find_archives(filepath)
        return tree.read(name)

    def get_text(self, filepath: str, encoding: str = 'utf-8') -> str:
        """Return the text of a file."""
        return self.get(filepath).decode(encoding)

    def isfile(self, filepath: str) -> bool:
        """Return whether an archive has the file."""
        try:
            tree, name = find_archives(filepath)
        except FileNotFoundError:
            return False
        return name in tree.members

    def isdir(self, filepath: str) -> bool:
        """Return whether an archive has files below the folder, or the path is an archive or a folder of archives."""
        try:
            tree, name = find_archives(filepath, fresh=True)
        except FileNotFoundError:
            return False
        return name in tree.folders

    def exists(self, filepath: str) -> bool:
        """Return whether the file or folder exists."""
        return self.isfile(filepath) or self.isdir(filepath)

    def join_path(self, filepath: str, *filepaths: str) -> str:
        """Return the joined path, as for files on a disk."""
        return osp.join(filepath, *filepaths)

    @contextmanager
    def get_local_path(self, filepath: str) -> Iterator[str]:
        """Yield the path of a copy on the disk, which is deleted afterwards."""
        with tempfile.NamedTemporaryFile(suffix=osp.splitext(filepath)[1]) as file:
            file.write(self.get(filepath))
            file.flush()
            yield file.name

    def list_dir_or_file(
        self,
        dir_path: str,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Yield sorted paths below a folder, relative to it, without hidden files, as mmengine does for a disk.

        Args:
            dir_path: The folder.
            list_dir: Whether to yield folders.
            list_file: Whether to yield files.
            suffix: Suffix, or suffixes, of the files to yield; None yields all.
            recursive: Whether to yield also the content of folders below.

        Raises:
            FileNotFoundError: If there is no such folder.
            TypeError: If ``suffix`` is given with ``list_dir=True``.
        """
        if list_dir and suffix is not None:
            raise TypeError('`list_dir` should be False when `suffix` is not None')
        tree, folder = find_archives(dir_path, fresh=True)
        if folder not in tree.folders:
            raise FileNotFoundError(errno.ENOENT, f'no such folder in the archives of {tree.root}', str(dir_path))
        start = f'{folder}/' if folder else ''
        found = [name[len(start) :] for name in (tree.folders if list_dir else ()) if name.startswith(start) and name]
        if list_file:
            names = (name[len(start) :] for name in tree.members if name.startswith(start))
            found += [
                name
                for name in names
                if not osp.basename(name).startswith('.') and (suffix is None or name.endswith(suffix))
            ]
        yield from sorted(name for name in found if recursive or '/' not in name)

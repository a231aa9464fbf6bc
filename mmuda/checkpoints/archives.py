"""Is a file that PyTorch wrote damaged? Its zip archive has a checksum of each part, which PyTorch does not look at."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO


def damage(file: str | Path | BinaryIO) -> str | None:
    """Return how a checkpoint is damaged, or None.

    All of it is read, about a second for a gigabyte. Files of PyTorch before 1.6 are no archives and have no checksums:
    nothing is found in them.

    Args:
        file: A path or an open file, which is at its beginning afterwards.
    """
    if isinstance(file, (str, Path)) and os.path.getsize(file) == 0:
        return 'it is empty'
    problem = archive_damage(file)
    if problem is None and not _is_archive(file) and not _is_other_format(file):
        return 'it is no archive of PyTorch, or its end is missing'
    return problem


def archive_damage(file: str | Path | BinaryIO) -> str | None:
    """Return how the archive in a file is damaged, or None; also None if the file is no archive.

    Args:
        file: As in :func:`damage`.
    """
    try:
        if not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as archive:
            part = archive.testzip()
        return None if part is None else f'its part {part} is not what was written (the checksum differs)'
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        return f'its archive cannot be read ({error})'
    finally:
        if not isinstance(file, (str, Path)):
            file.seek(0)


def _is_archive(file: str | Path | BinaryIO) -> bool:
    try:
        return zipfile.is_zipfile(file)
    except zipfile.BadZipFile:
        return True


def _is_other_format(file: str | Path | BinaryIO) -> bool:
    """Return whether a file begins as a pickle does, and not as an archive whose end is missing or as text."""
    if isinstance(file, (str, Path)):
        with open(file, 'rb') as opened:
            head = opened.read(2)
    else:
        file.seek(0)
        head = file.read(2)
    return head[:1] == b'\x80'

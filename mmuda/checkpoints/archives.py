"""Damaged files of PyTorch. Their zip archives have a checksum of each part, which PyTorch does not compare."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO


def damage(file: str | Path | BinaryIO) -> str | None:
    """Describe how a checkpoint is damaged; return None if it is intact.

    The whole file is read, which takes about a second for a gigabyte. Files of PyTorch before 1.6 are not archives and
    have no checksums, so their damage is not found.

    Args:
        file: A path, or an open file, which is then set to its beginning.
    """
    if isinstance(file, (str, Path)) and os.path.getsize(file) == 0:
        return 'it is empty'
    problem = archive_damage(file)
    if problem is None and not _is_archive(file) and not _is_other_format(file):
        return 'it is no archive of PyTorch, or its end is missing'
    return problem


def archive_damage(file: str | Path | BinaryIO) -> str | None:
    """Describe how the archive in a file is damaged; return None if it is intact, or if the file is not an archive.

    Args:
        file: As in :func:`damage`.
    """
    try:
        if not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as archive:
            part = archive.testzip()
        return None if part is None else f'its part {part} was changed after writing (the checksum differs)'
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
    """Return whether a file begins like a pickle. Text, and an archive whose end is missing, begin otherwise."""
    if isinstance(file, (str, Path)):
        with open(file, 'rb') as opened:
            head = opened.read(2)
    else:
        file.seek(0)
        head = file.read(2)
    return head[:1] == b'\x80'

"""Atomic writing of files, and folders of earlier runs."""

import errno
import hashlib
import io
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file to write to. It becomes ``path`` when the block ends, and is deleted if the block fails.

    Missing folders are made. The content is written to the disk before the file gets its name, so that a power cut
    leaves either the old file or the new one.

    Args:
        path: Name of the complete file.

    Raises:
        OSError: If the file cannot be written. If the disk is full, the message has the file and the remedy.
    """
    path = Path(path)
    draft = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        publish_draft(draft, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno,
                f'the disk is full at {path}: make room and run the same command again (a training with --resume), '
                'which continues here',
            ) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def publish_draft(draft: Path, path: Path) -> None:
    """Flush a complete temporary file to the disk, then rename it to ``path``."""
    with open(draft, 'rb') as written:
        os.fsync(written.fileno())
    os.replace(draft, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name
    finally:
        os.close(folder)


def remove_drafts(folder: str | Path) -> None:
    """Remove temporary files that killed processes have left in a folder, where no other process writes meanwhile."""
    for pattern in ('.*.tmp', '*.pth.part'):
        for draft in Path(folder).glob(pattern):
            draft.unlink(missing_ok=True)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write bytes so that a reader sees all of them or none.

    Args:
        path: File to write or replace.
        content: All of its bytes.
    """
    with whole_file(path) as draft:
        draft.write_bytes(content)


def write_json(path: str | Path, content: Any, indent: int | None = 1, allow_nan: bool = True) -> None:
    """Write plain values as JSON, atomically.

    Args:
        path: File to write or replace.
        content: Dicts, lists, strings, numbers, booleans and None.
        indent: Blanks per level; None writes one line.
        allow_nan: Whether NaN and infinity are written as in Python's ``json``. The standard of JSON lacks them.

    Raises:
        ValueError: If NaN or infinity occurs and ``allow_nan`` is False.
    """
    separators = (',', ':') if indent is None else None
    text = json.dumps(content, indent=indent, separators=separators, allow_nan=allow_nan)
    write_atomically(path, text.encode())


def checksum(content: Any) -> str:
    """Return the SHA-256 of plain values as JSON, in hexadecimal digits. It does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save_torch(path: str | Path, content: Any) -> None:
    """Save tensors and plain values with :func:`torch.save`, atomically.

    Args:
        path: File to write or replace.
        content: Anything that ``torch.load(weights_only=True)`` reads.
    """
    with whole_file(path) as draft, open(draft, 'wb') as file:
        torch.save(content, file)  # an open file, because torch.save writes the name of a path into the archive


def torch_bytes(content: Any) -> bytes:
    """Return the bytes of the file that :func:`save_torch` writes, for names that depend on the content.

    Args:
        content: Anything that ``torch.load(weights_only=True)`` reads.
    """
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Args:
        path: A file of any size. It is read in blocks.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as content:
        for block in iter(lambda: content.read(2**24), b''):
            digest.update(block)
    return digest.hexdigest()


def fresh_folder(path: str | Path) -> Path:
    """Make a new folder, ``path``, or if it exists ``path_2``, ``path_3``, ..., and return it.

    Args:
        path: Wanted path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = path if number == 1 else path.with_name(f'{path.name}_{number}')
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError('unreachable: the numbers do not end')


def move_aside(root: str | Path, names: Iterable[str | Path]) -> Path | None:
    """Move files and folders of an earlier run into a new folder ``before_<time>``; nothing is deleted.

    Call it only in the main process.

    Args:
        root: Folder of the run.
        names: Paths relative to ``root``, which they keep in the new folder. Paths that do not exist are skipped.

    Returns:
        The new folder, or None if there was nothing to move.
    """
    root = Path(root)
    present = [name for name in names if (root / name).exists()]
    if not present:
        return None
    folder = fresh_folder(root / f'before_{time.strftime("%Y%m%d_%H%M%S")}')
    for name in present:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / name, folder / name)
    return folder


def existing_folder(folder: str | Path) -> Path:
    """Return a folder if it exists, else its nearest parent that exists."""
    folder = Path(folder).absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())

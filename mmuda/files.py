"""Files that appear whole or not at all, folders that nobody else has."""

import itertools
import os
from pathlib import Path


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader never meets half of it; missing folders are made.

    Args:
        path: Where to.
        content: All of it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def fresh_folder(path: str | Path) -> Path:
    """Make a folder that did not exist: ``path``, or else ``path_2``, ``path_3``, ...

    Args:
        path: Its name, for example one with a time in it, which need not be the only one of its second.
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

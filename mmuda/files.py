"""Files that appear whole or not at all."""
import os
from pathlib import Path
from typing import Union


def write_atomically(path: Union[str, Path], content: bytes) -> None:
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

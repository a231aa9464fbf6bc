"""Values that a second pass reads again, in a temporary file."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any


class KeptValues:
    """Values by key, in a temporary file without a name. The file disappears however the process or the machine ends.

    The file takes at most a quarter of the free disk space. Further values are not kept, and none after the disk was
    full.

    Args:
        folder: Folder on the disk of the file.
    """

    def __init__(self, folder: str | Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)
        self._room = shutil.disk_usage(folder).free // 4
        self._places: dict[Hashable, tuple[int, int]] = {}

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self._file.seek(0, os.SEEK_END)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def __setitem__(self, key: Hashable, value: Any) -> None:
        place, content = self.size, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        if place + len(content) > self._room:
            return
        try:
            if self._file.write(content) == len(content):
                self._places[key] = place, len(content)
        except OSError:
            self._room = 0

    def __getitem__(self, key: Hashable) -> Any:
        place, length = self._places[key]
        self._file.seek(place)
        return pickle.loads(self._file.read(length))

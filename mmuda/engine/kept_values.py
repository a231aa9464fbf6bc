"""Values that a second pass finds again, in a file that is gone when nobody uses it any more."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any


class KeptValues:
    """Values by key, in a temporary file without a name: what ends the process, or the machine, leaves nothing behind.

    The file takes a quarter of the free disk at most; further values are not kept, nor are any if the disk fills up.

    Args:
        folder: On the disk that is to hold them.
    """

    def __init__(self, folder: str | Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)
        self._room = shutil.disk_usage(folder).free // 4
        self._places: dict[Hashable, tuple[int, int]] = {}

    @property
    def size(self) -> int:
        """Bytes that they take."""
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

"""The writer of label files. Its threads work while the network computes the next maps."""

import hashlib
import io
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from torch import Tensor

from mmuda.constants import IGNORE_INDEX
from mmuda.files import write_atomically
from mmuda.label_png import label_png


class LabelWriter:
    """Writer that encodes label maps, counts their pixels by class, and keeps a digest of each file.

    Use it in a ``with`` statement, which waits at its end for all files. An error of a thread is raised by a later call
    or at the end.

    Args:
        threads: Number of threads. As many further maps can wait.
        palette: RGB colour of each class, for image viewers. The pixel values stay the train ids.
    """

    def __init__(self, threads: int = 2, palette: Sequence[Sequence[int]] | None = None) -> None:
        self._palette = palette
        self._pool = ThreadPoolExecutor(max(threads, 1))
        self._limit = 2 * max(threads, 1)
        self._pending: deque[Future] = deque()
        self.counts = np.zeros(IGNORE_INDEX + 1, np.int64)
        self.digests: dict[Path, str] = {}

    def __enter__(self) -> 'LabelWriter':
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while self._pending and kind is None:
                self._collect()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def put(self, path: Path, label: Tensor) -> None:
        """Write a label map (H, W) uint8 as a PNG. Wait first if too many maps are pending."""
        while len(self._pending) >= self._limit:
            self._collect()
        self._pending.append(self._pool.submit(_write, path, label.cpu().numpy(), self._palette))

    def count(self, path: Path) -> None:
        """Count the pixels of a label file that exists already."""
        while len(self._pending) >= self._limit:
            self._collect()
        self._pending.append(self._pool.submit(_read_counts, path))

    def _collect(self) -> None:
        path, counts, digest = self._pending.popleft().result()
        self.counts += counts
        self.digests[path] = digest


def label_digest(content: bytes) -> str:
    """Return the digest of the content of a label file, as its manifest holds it."""
    return hashlib.sha256(content).hexdigest()[:16]


def _write(path: Path, label: np.ndarray, palette: Sequence[Sequence[int]] | None) -> tuple[Path, np.ndarray, str]:
    content = label_png(label, palette)
    write_atomically(path, content)
    return path, _histogram(label), label_digest(content)


def _read_counts(path: Path) -> tuple[Path, np.ndarray, str]:
    content = path.read_bytes()
    try:
        # OpenCV would return the colours of the palette instead of the ids.
        with Image.open(io.BytesIO(content)) as image:
            label, mode = np.asarray(image), image.mode
    except (OSError, SyntaxError, ValueError):
        label, mode = None, None
    if label is None or mode not in ('L', 'P'):
        raise OSError(f'{path} is no 8-bit PNG of train ids: delete it and run the labelling again')
    return path, _histogram(label), label_digest(content)


def _histogram(label: np.ndarray) -> np.ndarray:
    return cv2.calcHist([label], [0], None, [IGNORE_INDEX + 1], [0, IGNORE_INDEX + 1]).ravel().astype(np.int64)

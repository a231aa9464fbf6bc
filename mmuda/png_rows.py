"""Writing of PNG files a few rows at a time, without the whole image in memory."""

import struct
import zlib
from collections.abc import Sequence
from types import TracebackType
from typing import BinaryIO

import numpy as np

_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_GREY, _PALETTE = 0, 3


class PNGRows:
    """Writer of an 8-bit PNG of one channel, from its first row to its last. Use it as a context.

    Args:
        file: A file that is open for writing bytes.
        size: (height, width) of the image.
        palette: RGB colours by value; all other values are black. Without a palette, the PNG is grey.

    Raises:
        ValueError: If the image is empty, if rows have another width or type, or if their number is not the height.
    """

    def __init__(
        self, file: BinaryIO, size: tuple[int, int], palette: Sequence[Sequence[int]] | np.ndarray | None = None
    ) -> None:
        self._height, self._width = size
        if min(size) < 1:
            raise ValueError(f'an image has at least one pixel, but its size is {size}')
        self._file, self._written = file, 0
        # Label maps have long runs of equal values.
        self._compressor = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
        colour = _GREY if palette is None else _PALETTE
        file.write(_SIGNATURE)
        self._chunk(b'IHDR', struct.pack('>IIBBBBB', self._width, self._height, 8, colour, 0, 0, 0))
        if palette is not None:
            colours = np.zeros((256, 3), np.uint8)
            colours[: len(palette)] = np.asarray(palette, np.uint8).reshape(-1, 3)
            self._chunk(b'PLTE', colours.tobytes())

    def __enter__(self) -> 'PNGRows':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def write(self, rows: np.ndarray) -> None:
        """Append rows.

        Args:
            rows: (n, width) uint8.
        """
        if rows.ndim != 2 or rows.shape[1] != self._width or rows.dtype != np.uint8:
            raise ValueError(f'rows must be (n, {self._width}) uint8, but are {rows.shape} {rows.dtype}')
        self._written += len(rows)
        filtered = np.zeros((len(rows), self._width + 1), np.uint8)  # each row begins with its filter type, 0 for none
        filtered[:, 1:] = rows
        self._data(self._compressor.compress(filtered.data))

    def close(self) -> None:
        """Write the end of the PNG. The file stays open."""
        if self._written != self._height:
            raise ValueError(f'{self._written} rows were written to an image of {self._height}')
        self._data(self._compressor.flush())
        self._chunk(b'IEND', b'')

    def _data(self, content: bytes) -> None:
        if content:
            self._chunk(b'IDAT', content)

    def _chunk(self, kind: bytes, content: bytes) -> None:
        checksum = zlib.crc32(content, zlib.crc32(kind))
        self._file.write(struct.pack('>I', len(content)) + kind + content + struct.pack('>I', checksum))

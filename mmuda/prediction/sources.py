"""Images of which a few rows are read at a time."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .windows import RowSource

TIFF = frozenset({'.tif', '.tiff'})
WITHOUT_CODECS = frozenset({'NONE', 'ADOBE_DEFLATE', 'DEFLATE', 'PACKBITS'})
"""Compressions that tifffile knows without another package."""


class ArraySource:
    """An image in memory.

    Args:
        image: (H, W, 3).
    """

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.size = image.shape[:2]

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return a view of some rows."""
        return self.image[start:stop]


class TiffSource:
    """A TIFF file of which only the strips or tiles of the rows that are asked for are read.

    8-bit grey or RGB(A) images whose channels are stored together; tifffile knows the compressions.

    Args:
        path: The file.

    Raises:
        ValueError: For any other TIFF file.
        OSError: If it is damaged.
    """

    def __init__(self, path: str) -> None:
        import tifffile

        self.path = path
        try:
            self._file = tifffile.TiffFile(path)
            self._page: Any = self._file.pages[0]
        except (tifffile.TiffFileError, IndexError) as error:
            raise OSError(f'{path} cannot be read as TIFF ({error}): it is damaged or none') from error
        page: Any = self._page
        plain = page.dtype == np.uint8 and page.axes in ('YX', 'YXS') and page.samplesperpixel in (1, 3, 4)
        turned = page.tags.valueof(274, 1) != 1  # orientation
        if not plain or turned or page.planarconfig != 1 or page.photometric.name not in ('MINISBLACK', 'RGB', 'YCBCR'):
            raise ValueError(f'{path} is not read by rows: it is no upright 8-bit grey or RGB(A) image')
        if page.compression.name not in WITHOUT_CODECS and find_spec('imagecodecs') is None:
            raise ValueError(f'{path} is not read by rows: {page.compression.name} needs the package imagecodecs')
        self.size = int(page.imagelength), int(page.imagewidth)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return some rows (n, W, 3) uint8 in BGR order."""
        page, (_, width) = self._page, self.size
        if page.is_memmappable:
            found = self._plain_rows(start, stop)
        else:
            found = np.zeros((stop - start, width, page.samplesperpixel), np.uint8)
            for index in self._segments(start, stop):
                self._copy(index, start, found)
        if page.samplesperpixel == 1:
            return np.repeat(found, 3, axis=2)
        return np.ascontiguousarray(found[:, :, 2::-1])

    def _plain_rows(self, start: int, stop: int) -> np.ndarray:
        """Return rows of a file that holds them one after the other. A memory map would count as memory in use."""
        samples, width = self._page.samplesperpixel, self.size[1]
        line = width * samples
        offset = self._page.dataoffsets[0] + start * line
        found = np.fromfile(self.path, np.uint8, (stop - start) * line, offset=offset)
        if len(found) != (stop - start) * line:
            raise OSError(f'{self.path} ends before row {stop}: it is truncated; copy or download it again')
        return found.reshape(stop - start, width, samples)

    def _segments(self, start: int, stop: int) -> range:
        """Return the numbers of the strips or tiles that hold some rows."""
        page = self._page
        height, across = (
            (page.tilelength, -(-self.size[1] // page.tilewidth)) if page.is_tiled else (page.rowsperstrip, 1)
        )
        return range(start // height * across, (stop - 1) // height * across + across)

    def _copy(self, index: int, start: int, out: np.ndarray) -> None:
        """Decode a strip or tile and copy its part of the rows from ``start`` on."""
        page, handle = self._page, self._file.filehandle
        if index >= len(page.dataoffsets) or not page.databytecounts[index]:
            return  # not written: black
        handle.seek(page.dataoffsets[index])
        data = handle.read(page.databytecounts[index])
        try:
            segment, (_, _, top, left, _), shape = page.decode(data, index, jpegtables=page.jpegtables)
        except Exception as error:  # of a codec
            raise OSError(f'{self.path}: strip or tile {index} cannot be decoded: {error}') from error
        block = segment.reshape(shape[1:])[: self.size[0] - top, : self.size[1] - left]
        first, last = max(top, start), min(top + block.shape[0], start + len(out))
        if first < last:
            out[first - start : last - start, left : left + block.shape[1]] = block[first - top : last - top]


def open_tiff(path: str) -> RowSource | None:
    """Return a TIFF file that is read by rows, or None if it cannot be, or tifffile is not installed."""
    if Path(path).suffix.lower() not in TIFF or find_spec('tifffile') is None:
        return None
    try:
        return TiffSource(path)
    except ValueError:
        return None

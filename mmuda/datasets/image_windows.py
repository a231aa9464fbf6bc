"""Windows of image files: of TIFF files and arrays on a local disk, only the wanted part is read."""

from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import numpy as np

from mmuda.zip_files import is_local, is_zipped

from . import tiff
from .array_files import load_mapped

WINDOW = 'window'
"""Key of a sample that holds the :class:`Window` of the image that was loaded."""

TIFF_SUFFIXES = ('.tif', '.tiff')
WITHOUT_CODECS = frozenset({'NONE', 'ADOBE_DEFLATE', 'DEFLATE', 'PACKBITS'})
"""Compressions that tifffile decodes without imagecodecs."""

_UNASSOCIATED = 2


class Window(NamedTuple):
    """A part of an image: rows ``top`` to ``bottom - 1`` and columns ``left`` to ``right - 1``.

    It can extend beyond a smaller image. Then only the part inside of the image is returned.
    """

    top: int
    bottom: int
    left: int
    right: int

    def of(self, array: np.ndarray) -> np.ndarray:
        """Return the window of an array (H, W) or (H, W, C) as a view."""
        return array[self.top : self.bottom, self.left : self.right]


class WindowReader(Protocol):
    """Reader of windows of one image file.

    Attributes:
        size: (H, W) of the whole image.
        alpha: Whether the last of four channels is alpha.
    """

    size: tuple[int, int]
    alpha: bool

    def read(self, window: Window) -> np.ndarray:
        """Return a window (h, w, C) with the dtype and the channels of the file."""
        ...


def open_windows(path: str, backend_args: dict | None = None, indices: bool = False) -> WindowReader | None:
    """Return a reader of windows of a file; None if the file has to be read as a whole.

    Windows can be read from ``.npy`` files and, if tifffile is installed, from TIFF files. The TIFF file must hold a
    single image without rotation, in strips or tiles, with 8 bits or more, and any number of interleaved or separate
    bands. Compressions other than deflate and packbits need imagecodecs. All other formats, and files in archives or on
    servers, are read as a whole.

    Args:
        path: The file.
        backend_args: Arguments of mmengine's file backend.
        indices: Whether the values of a file with a palette are wanted as indices, as in label files.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it is damaged.
        ValueError: If the array in a ``.npy`` file does not have two or three dimensions.
    """
    if not is_local(path, backend_args) or is_zipped(path):
        return None
    if path.lower().endswith('.npy'):
        return ArrayWindows(path)
    if not path.lower().endswith(TIFF_SUFFIXES) or find_spec('tifffile') is None:
        return None
    header = _header(path)
    if header is None or header.orientation != 1 or header.pages or header.bits < 8:
        return None
    with _opened(path) as file:
        return TiffWindows(path, file, header) if _is_known(file.pages[0], header, indices) else None


class ArrayWindows:
    """An array (H, W), (H, W, C) or (C, H, W) in a ``.npy`` file.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it is damaged.
        ValueError: If the array has another shape.
    """

    alpha = False

    def __init__(self, path: str) -> None:
        self.path = path
        height, width, *_ = load_mapped(path).shape
        self.size = height, width

    def read(self, window: Window) -> np.ndarray:
        """Return a window (h, w, C)."""
        # The file is mapped again for each window: the pages of a permanent map would count as used memory.
        found = np.array(window.of(load_mapped(self.path)))
        return found.reshape(*found.shape[:2], -1)


class TiffWindows:
    """A TIFF file of which only the strips or tiles of a window are decoded, by tifffile.

    Args:
        path: The file; see :func:`open_windows`.
        file: The opened ``tifffile.TiffFile``. It can be closed afterwards.
        header: Its header.
    """

    def __init__(self, path: str, file: Any, header: tiff.TiffHeader) -> None:
        self.path, self.size = path, (header.height, header.width)
        self.alpha = header.common and header.bands == 4
        page = self._page = file.pages[0]
        self._multiplied = self.alpha and header.bits == 8 and tuple(page.extrasamples) == (_UNASSOCIATED,)
        # tifffile reads these values on first use, so they are used while the file is open.
        self._places, self._lengths, self._tables = page.dataoffsets, page.databytecounts, page.jpegtables
        self._mapped, self._order, self._decode = bool(page.is_memmappable), file.byteorder, page.decode

    def read(self, window: Window) -> np.ndarray:
        """Return a window (h, w, C). 8-bit colours are multiplied by unassociated alpha, as OpenCV does."""
        (height, width), page = self.size, self._page
        inside = Window(window.top, min(window.bottom, height), window.left, min(window.right, width))
        found = self._map_of(inside) if self._mapped else self._decoded(inside)
        found = found.astype(page.dtype, copy=False)
        if self._multiplied:
            found[..., :3] = (found[..., :3].astype(np.uint16) * found[..., 3:] + 127) // 255
        return found

    def _map_of(self, window: Window) -> np.ndarray:
        """Return a window of a file that stores its rows, or bands, uncompressed one after the other."""
        page, (height, width) = self._page, self.size
        shape = (page.samplesperpixel, height, width) if _separate(page) else (height, width, page.samplesperpixel)
        try:
            values = np.memmap(self.path, page.dtype.newbyteorder(self._order), 'r', self._places[0], shape)
        except ValueError as error:
            raise OSError(f'{self.path} is truncated ({error}): copy or download it again') from error
        return np.array(window.of(values.transpose(1, 2, 0) if _separate(page) else values))

    def _decoded(self, window: Window) -> np.ndarray:
        page = self._page
        shape = (window.bottom - window.top, window.right - window.left, page.samplesperpixel)
        found = np.full(shape, page.nodata, page.dtype)
        with open(self.path, 'rb') as file:
            for index in self._segments(window):
                if index >= len(self._places) or not self._lengths[index]:
                    continue  # a strip or tile that was never written has no data
                file.seek(self._places[index])
                self._copy(file.read(self._lengths[index]), index, window, found)
        return found

    def _segments(self, window: Window) -> list[int]:
        """Return the indices of the strips or tiles that overlap a window."""
        page, (height, width) = self._page, self.size
        tall, wide = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
        down, across = -(-height // tall), -(-width // wide)
        planes = page.samplesperpixel if _separate(page) else 1
        return [
            (plane * down + row) * across + column
            for plane in range(planes)
            for row in range(window.top // tall, -(-window.bottom // tall))
            for column in range(window.left // wide, -(-window.right // wide))
        ]

    def _copy(self, data: bytes, index: int, window: Window, out: np.ndarray) -> None:
        """Decode a strip or tile, and copy the part inside of the window to ``out``."""
        try:
            segment, (plane, _, top, left, _), shape = self._decode(data, index, jpegtables=self._tables)
        except Exception as error:  # each codec has its own errors
            raise OSError(f'{self.path}: strip or tile {index} cannot be decoded: {error}') from error
        block = segment.reshape(shape[1:])[: self.size[0] - top, : self.size[1] - left]
        first, last = max(top, window.top), min(top + block.shape[0], window.bottom)
        start, stop = max(left, window.left), min(left + block.shape[1], window.right)
        channels = slice(plane, plane + 1) if _separate(self._page) else slice(None)
        out[first - window.top : last - window.top, start - window.left : stop - window.left, channels] = block[
            first - top : last - top, start - left : stop - left
        ]


def _opened(path: str) -> Any:
    import tifffile

    try:
        return tifffile.TiffFile(path)
    except tifffile.TiffFileError as error:
        raise OSError(f'{path} cannot be read as TIFF ({error}): it is damaged or not a TIFF file') from error


def _separate(page: Any) -> bool:
    """Return whether the bands of a page are stored one after the other."""
    return page.planarconfig == 2 and page.samplesperpixel > 1


def _header(path: str) -> tiff.TiffHeader | None:
    """Return the header of a TIFF file; None for a file of another format, whatever its suffix."""
    try:
        with open(path, 'rb') as file:
            if file.read(4) not in tiff.SIGNATURES:
                return None
            file.seek(0)
            return tiff.read_header(file)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist: check data_root and data_prefix of the data set') from None
    except ValueError as error:
        raise OSError(f'{path} cannot be read as TIFF ({error}): it is damaged; copy or download it again') from error


def _is_known(page: Any, header: tiff.TiffHeader, indices: bool) -> bool:
    """Return whether windows of a page have the values that OpenCV or tifffile decode from the whole page."""
    compression, meaning = page.compression.name, page.photometric.name
    plain = meaning in ('MINISBLACK', 'RGB') or (meaning == 'PALETTE' and indices and header.bits == 8)
    jpeg = meaning == 'YCBCR' and compression == 'JPEG'  # tifffile decodes it to RGB
    values = page.dtype is not None and page.dtype.kind in 'uif' and page.axes in ('YX', 'YXS', 'SYX')
    return values and (plain or jpeg) and (compression in WITHOUT_CODECS or find_spec('imagecodecs') is not None)

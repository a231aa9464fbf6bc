"""TIFF files: their headers, and the pixels of those that OpenCV and Pillow cannot read completely."""

import io
import struct
from typing import BinaryIO, NamedTuple

import numpy as np

SIGNATURES = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
PALETTE, RGB, YCBCR = 3, 2, 6

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _BANDS, _FORMAT, _KIND = 256, 257, 258, 262, 274, 277, 339, 254
_PLANES = 284
_PARTS = ((273, 279), (324, 325))  # tags of the offsets and lengths of strips, and of tiles
_PLACES = frozenset(tag for pair in _PARTS for tag in pair)
_SIZES = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}
_REDUCED_OR_MASK = 0b101
_MOST_TAGS = 4096


class TiffHeader(NamedTuple):
    """The first image of a TIFF file.

    Attributes:
        width: Width in pixels as stored, before the orientation is applied.
        height: Height in pixels as stored.
        bits: Bits per value of the first band.
        bands: Number of bands.
        photometric: Meaning of the values: :data:`PALETTE`, :data:`RGB`, ...
        kind: Type of the values: 1 unsigned, 2 signed, 3 float.
        orientation: As in EXIF, 1 to 8.
        pages: Number of further images: the second one, and all later ones that have the size of the first. Reduced
            copies and masks are not counted.
        separate: Whether the bands are stored one after the other, not interleaved.
    """

    width: int
    height: int
    bits: int
    bands: int
    photometric: int
    kind: int
    orientation: int
    pages: int
    separate: bool

    @property
    def common(self) -> bool:
        """Whether OpenCV reads it completely: one grey or colour image, 8 or 16 bits or float32, bands interleaved."""
        bands = self.bands == 1 if self.photometric in (0, 1) else self.bands in (3, 4)
        values = (self.kind == 1 and self.bits in (8, 16)) or (self.kind == 3 and self.bits == 32)
        return bands and values and self.photometric in (0, 1, RGB, YCBCR) and not (self.pages or self.separate)

    def __str__(self) -> str:
        """Return bands and type of the values, for messages: ``4 bands of uint16``."""
        kind = {1: 'uint', 2: 'int', 3: 'float'}.get(self.kind, 'complex')
        return f'{self.bands} band{"s" if self.bands > 1 else ""} of {kind}{self.bits}'


def read_header(file: BinaryIO) -> TiffHeader:
    """Read the header of the first image, and count those that follow.

    Raises:
        ValueError: If it is not a TIFF file, or damaged.
    """
    try:
        return _read(file)
    except (struct.error, KeyError, IndexError, OverflowError, OSError) as error:
        raise ValueError(f'damaged header of a TIFF file ({error})') from error


def _start(file: BinaryIO) -> tuple[str, bool, int]:
    """Return the byte order, whether offsets have 64 bits (BigTIFF), and the offset of the first directory."""
    head = file.read(16)
    if head[:4] not in SIGNATURES:
        raise ValueError('no TIFF file')
    order, big = ('<' if head[:2] == b'II' else '>'), b'+' in head[2:4]
    (start,) = struct.unpack(order + 'Q', head[8:16]) if big else struct.unpack(order + 'I', head[4:8])
    return order, big, start


def _read(file: BinaryIO) -> TiffHeader:
    order, big, start = _start(file)
    tags, following, _ = _directory(file, order, big, start)
    pages, seen = 0, {start}
    while following and following not in seen:
        seen.add(following)
        page, following, _ = _directory(file, order, big, following)
        if page.get(_KIND, 0) & _REDUCED_OR_MASK:
            continue
        if not pages or (page.get(_WIDTH), page.get(_HEIGHT)) == (tags[_WIDTH], tags[_HEIGHT]):
            pages += 1
    return TiffHeader(
        tags[_WIDTH],
        tags[_HEIGHT],
        tags.get(_BITS, 1),
        tags.get(_BANDS, 1),
        tags.get(_PHOTOMETRIC, 1),
        tags.get(_FORMAT, 1),
        tags.get(_ORIENTATION, 1),
        pages,
        tags.get(_BANDS, 1) > 1 and tags.get(_PLANES, 1) == 2,
    )


def _directory(
    file: BinaryIO, order: str, big: bool, start: int, whole: frozenset[int] = frozenset()
) -> tuple[dict[int, int], int, dict[int, np.ndarray]]:
    """Read the directory at offset ``start``.

    Returns:
        The first value of each integer tag, the offset of the next directory, and all values of the tags in ``whole``.
    """
    entry, inline, word = ('HHQ', 8, 'Q') if big else ('HHI', 4, 'I')
    length = struct.calcsize(order + entry)
    file.seek(start)
    (count,) = struct.unpack(order + ('Q' if big else 'H'), file.read(8 if big else 2))
    if count > _MOST_TAGS:
        raise ValueError('damaged header of a TIFF file')
    data = file.read(count * (length + inline))
    (following,) = struct.unpack(order + word, file.read(inline))
    tags: dict[int, int] = {}
    lists: dict[int, np.ndarray] = {}
    for place in range(0, count * (length + inline), length + inline):
        tag, kind, values = struct.unpack_from(order + entry, data, place)
        if kind not in _SIZES:
            continue
        code = order + _SIZES[kind]
        wanted = values if tag in whole else 1
        field = data[place + length : place + length + inline]
        if values * struct.calcsize(code) > inline:
            file.seek(struct.unpack(order + word, field)[0])
            field = file.read(wanted * struct.calcsize(code))
        (tags[tag],) = struct.unpack_from(code, field)
        if tag in whole:
            lists[tag] = np.frombuffer(field, code, wanted).astype(np.int64)
    return tags, following, lists


def is_whole(data: bytes) -> bool:
    """Return whether all strips or tiles of the first image of a TIFF file lie inside of the file."""
    file = io.BytesIO(data)
    try:
        order, big, start = _start(file)
        parts = _directory(file, order, big, start, _PLACES)[2]
        ends = [np.add(parts[place], parts[length]).max() for place, length in _PARTS if place in parts]
    except (struct.error, ValueError, KeyError):
        return False
    return bool(ends) and max(ends) <= len(data)


def decode(data: bytes, path: str) -> np.ndarray:
    """Decode all bands of a TIFF file with tifffile. Pages count as bands.

    Args:
        data: Content of the file.
        path: Its path, for messages.

    Returns:
        (H, W) or (H, W, C) with the dtype of the file, as stored: the orientation is not applied.

    Raises:
        ModuleNotFoundError: If tifffile, or imagecodecs for the compression of the file, is not installed.
        ValueError: If tifffile cannot read the file.
    """
    header = read_header(io.BytesIO(data))
    try:
        import tifffile
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f'{path} is a TIFF file with {header}, which needs tifffile: pip install tifffile'
        ) from None
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            series = file.series[0]
            values, axes = series.asarray(), series.axes
    except ValueError as error:
        if 'imagecodecs' not in str(error):
            raise
        raise ModuleNotFoundError(
            f'{path} is a TIFF file with {header} in a compression that needs imagecodecs: pip install imagecodecs'
        ) from None
    order = [axes.index('Y'), axes.index('X')] + [place for place, axis in enumerate(axes) if axis not in 'YX']
    values = values.transpose(order)
    values = values.reshape(*values.shape[:2], -1) if values.ndim > 2 else values
    return values


def decode_common(data: bytes, path: str) -> np.ndarray | None:
    """Decode a file that OpenCV should read but does not: it fails for some valid files with tiles.

    Returns:
        As :func:`decode`; None if the file is not :attr:`~TiffHeader.common`, has an orientation, is damaged, or if
        tifffile is not installed.
    """
    if data[:4] not in SIGNATURES:
        return None
    try:
        header = read_header(io.BytesIO(data))
        return decode(data, path) if header.common and header.orientation == 1 else None
    except Exception:  # each codec has its own errors
        return None

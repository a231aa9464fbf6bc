"""Ids and colours in label files of every format, unchanged."""

import io

import cv2
import numpy as np

from mmuda.constants import IGNORE_INDEX

from . import tiff
from .array_files import decode_array, is_array_file
from .colours import colour_numbers, told_colours
from .image_files import JPEG_SIGNATURE, PNG_SIGNATURE, header_of, open_image, turned, unreadable
from .label_tables import NUM_RAW_IDS, UNKNOWN, LabelTable, ranges

_PNG_GREY, _PNG_PALETTE = 0, 3
_MANY_COLOURS = 32


def decode_label(data: bytes, path: str, channel: int | None = None, colours: bool = False) -> np.ndarray:
    """The ids in a label file, unchanged.

    Palette files hold ids, their indices, unless colours are asked for. Files of one bit or of 2 or 4 hold 0, 1, ...;
    floats and wide integers are taken if they are ids. Three equal channels count as one. A label is turned if it has
    an EXIF orientation of its own.

    Args:
        data: The file.
        path: Its name, for messages.
        channel: Which channel holds the ids, in RGB order; used for multi-channel files only.
        colours: Return the colours, ``0xRRGGBB``.

    Returns:
        (H, W) uint8 or uint16; uint32 of colours.

    Raises:
        OSError: If it cannot be decoded.
        ModuleNotFoundError: If a package is missing that reads such files.
        ValueError: If it has channels and none was chosen, or holds values that are no ids or no colours.
    """
    if data.startswith(JPEG_SIGNATURE):
        raise ValueError(f'{path} is a JPEG file, whose compression changes label ids: use PNG')
    ids, bgr = (decode_array(data, path), False) if is_array_file(path) else _decode_file(data, path, colours)
    header = None if data[:4] in tiff.SIGNATURES else header_of(data, path)  # decoders turn TIFF files themselves
    if header is not None and header.orientation > 1:
        ids = turned(ids, header.orientation)
    return _meant(ids, bgr, path, channel, colours)


def stored_label(values: np.ndarray, path: str, channel: int | None = None, colours: bool = False) -> np.ndarray:
    """Return a label as :func:`decode_label` does, or a window of it, of the values in its file.

    Args:
        values: (H, W, C), as they are stored.
        path: As for :func:`decode_label`.
        channel: The same.
        colours: The same.

    Raises:
        ValueError: As :func:`decode_label`.
    """
    return _meant(values, False, path, channel, colours)


def map_ids(ids: np.ndarray, lookup: np.ndarray, path: str, table: LabelTable) -> np.ndarray:
    """Apply a look-up array of :func:`~mmuda.datasets.label_tables.lookup_array`.

    Args:
        ids: (H, W) uint8 or uint16, or uint32 of colours.
        lookup: (65536,) uint8, or (2^24,) for colours.
        path: Label file, for messages.
        table: The table behind the look-up, for messages.

    Returns:
        (H, W) uint8.

    Raises:
        ValueError: If an id or a colour is unknown.
    """
    trains = cv2.LUT(ids, lookup[:256]) if ids.dtype == np.uint8 else lookup.take(ids, mode='clip')
    unknown = trains == UNKNOWN
    if unknown.any():
        told = _unknown_colours if table.colours else _unknown_ids
        raise ValueError(told(ids, unknown, path, table))
    return trains


def _meant(values: np.ndarray, bgr: bool, path: str, channel: int | None, colours: bool) -> np.ndarray:
    if colours:
        return _colours(values, bgr, path)
    return _ids(_one_channel(values, bgr, path, channel), path)


def _decode_file(data: bytes, path: str, colours: bool) -> tuple[np.ndarray, bool]:
    try:
        return _decode(data, path, colours)
    except (cv2.error, OSError, SyntaxError, ValueError) as error:
        raise unreadable(path, str(error)) from error


def _decode(data: bytes, path: str, colours: bool) -> tuple[np.ndarray, bool]:
    """Return the pixels, and whether three or four channels are in OpenCV's order: blue, green, red, alpha."""
    if data.startswith(PNG_SIGNATURE):
        depth, kind = data[24:26]
        if (kind == _PNG_PALETTE and not colours) or (kind == _PNG_GREY and depth < 8):
            # OpenCV would look the colours up and lose the ids; both would scale few bits up.
            ids = _by_pillow(data)
            return (ids // (255 // (2**depth - 1)) if kind == _PNG_GREY and depth in (2, 4) else ids), False
    elif data[:4] in tiff.SIGNATURES:
        header = tiff.read_header(io.BytesIO(data))
        if not header.common and not (colours and header.photometric == tiff.PALETTE):
            few = header.photometric == tiff.PALETTE or header.bits < 8
            if few and not header.pages:
                return _by_pillow(data), False
            return turned(tiff.decode(data, path), header.orientation), False
    elif not colours:
        with open_image(io.BytesIO(data)) as image:
            if image.mode in ('1', 'P'):
                return np.asarray(image), False
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is not None:
        return decoded, True
    decoded = tiff.decode_common(data, path)
    if decoded is None:
        raise ValueError('the decoder gave up')
    return decoded, False


def _by_pillow(data: bytes) -> np.ndarray:
    with open_image(io.BytesIO(data)) as image:
        return np.asarray(image)


def _one_channel(ids: np.ndarray, bgr: bool, path: str, channel: int | None) -> np.ndarray:
    channels = 1 if ids.ndim == 2 else ids.shape[2]
    if channels == 1 and not channel:
        return ids.reshape(ids.shape[:2])
    if channel is None:
        first = ids[..., 0]
        if channels in (3, 4) and all(np.array_equal(first, ids[..., other]) for other in (1, 2)):
            return np.ascontiguousarray(first)  # grey that was saved as a colour file
        raise ValueError(
            f'{path} has {channels} channels: say which one holds the label ids (label_channel=0 is red, of the data '
            'set), or, if these are colours, give it a label_table of colours, as {(128, 64, 128): 0, ...} or '
            "'cityscapes_palette', or use the id files of the data set"
        )
    if not 0 <= channel < channels:
        raise ValueError(f'{path} has {channels} channel(s), but channel {channel} was asked for')
    if not bgr or ids.dtype.itemsize > 4:
        return np.ascontiguousarray(ids[..., channel] if ids.ndim == 3 else ids)
    return cv2.extractChannel(ids, 2 - channel if channel < 3 else channel)


def _ids(ids: np.ndarray, path: str) -> np.ndarray:
    """Return ids of any type as uint8 or uint16."""
    if ids.dtype in (np.uint8, np.uint16):
        return ids
    if ids.dtype == bool:
        return ids.astype(np.uint8)
    if ids.dtype.kind not in 'iuf':
        raise ValueError(f'{path} holds {ids.dtype} values, which are no label ids')
    whole = ids
    if ids.dtype.kind == 'f':
        if not np.isfinite(ids).all() or (ids != np.round(ids)).any():
            wrong = ids[~np.isfinite(ids) | (ids != np.round(ids))]
            raise ValueError(
                f'{path} holds {ids.dtype} values such as {wrong.flat[0]:g}, which are no label ids: {wrong.size:,} '
                f'of {ids.size:,} are no whole numbers'
            )
        whole = ids.astype(np.int64)
    low, high = int(whole.min()), int(whole.max())
    if low < -1 or high >= NUM_RAW_IDS:
        raise ValueError(
            f'{path} holds {ids.dtype} values from {low} to {high}; label ids are 0 to {NUM_RAW_IDS - 1}, and -1 for '
            f'{IGNORE_INDEX}: are these ids of instances? Save ids of classes'
        )
    if low == -1:
        whole = np.where(whole == -1, IGNORE_INDEX, whole)
    return whole.astype(np.uint8 if high < 256 else np.uint16)


def _colours(image: np.ndarray, bgr: bool, path: str) -> np.ndarray:
    channels = 1 if image.ndim == 2 else image.shape[2]
    if image.dtype != np.uint8 or channels not in (1, 3, 4):
        raise ValueError(
            f'{path} has {channels} channel(s) of {image.dtype}, but its label table is one of colours, which are red, '
            'green and blue of 8 bits'
        )
    if not bgr and channels != 1:
        image = cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2BGR)
    return colour_numbers(image)


def _unknown_ids(ids: np.ndarray, unknown: np.ndarray, path: str, table: LabelTable) -> str:
    found = ranges(np.unique(ids[unknown]).tolist())
    return (
        f'{path} holds the label ids {found}, which the label table {table.name!r} does not '
        f'have (it has {table.known}): use the table of this data set, add the ids to a table '
        "of your own, or ignore them with dict(type='LoadDomainAnnotations', unknown=255)"
    )


def _unknown_colours(numbers: np.ndarray, unknown: np.ndarray, path: str, table: LabelTable) -> str:
    wrong = numbers[unknown]
    count = len(np.unique(wrong))
    blended = ''
    if count > _MANY_COLOURS:
        blended = (
            '. So many colours come from smooth edges, or from a JPEG file: draw or resize labels without blending'
        )
    return (
        f'{path}: {wrong.size:,} of {numbers.size:,} pixels have {count:,} colours that the label table {table.name!r} '
        f'does not have: {told_colours(wrong)}{blended}. The table has {table.known}. Add the colours to a table of '
        "your own, or ignore them with dict(type='LoadDomainAnnotations', unknown=255)"
    )

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
    """Return the ids in a label file, unchanged.

    The ids of a palette file are its indices, unless ``colours`` is True. Files of 1, 2 or 4 bits hold the ids 0, 1,
    .... Floats and wide integers are accepted if all of them are ids; -1 becomes 255. Three equal channels count as
    one. If the label file has an EXIF orientation, it is applied.

    Args:
        data: Content of the file.
        path: Its path, for messages.
        channel: Index of the channel that holds the ids, in RGB order; for multi-channel files only.
        colours: Return colours, as numbers ``0xRRGGBB``.

    Returns:
        (H, W) uint8 or uint16; uint32 for colours.

    Raises:
        OSError: If the file cannot be decoded.
        ModuleNotFoundError: If a package that reads such files is missing.
        ValueError: If it is a JPEG file, has several channels and none was chosen, or has values that are not ids (or
            not colours).
    """
    if data.startswith(JPEG_SIGNATURE):
        raise ValueError(f'{path} is a JPEG file, whose compression changes label ids: use PNG')
    ids, bgr = (decode_array(data, path), False) if is_array_file(path) else _decode_file(data, path, colours)
    header = (
        None if data[:4] in tiff.SIGNATURES else header_of(data, path)
    )  # the orientation of TIFF files is applied when they are decoded
    if header is not None and header.orientation > 1:
        ids = turned(ids, header.orientation)
    return _meant(ids, bgr, path, channel, colours)


def stored_label(values: np.ndarray, path: str, channel: int | None = None, colours: bool = False) -> np.ndarray:
    """Convert the stored values of a label, or of a window of it, to those that :func:`decode_label` returns.

    Args:
        values: (H, W, C), as stored.
        path: As for :func:`decode_label`.
        channel: As for :func:`decode_label`.
        colours: As for :func:`decode_label`.

    Raises:
        ValueError: As :func:`decode_label`.
    """
    return _meant(values, False, path, channel, colours)


def map_ids(ids: np.ndarray, lookup: np.ndarray, path: str, table: LabelTable) -> np.ndarray:
    """Map the ids of a label with an array of :func:`~mmuda.datasets.label_tables.lookup_array`.

    Args:
        ids: (H, W) uint8 or uint16, or uint32 for colours.
        lookup: (65536,) uint8, or (2^24,) uint8 for colours.
        path: Path of the label file, for messages.
        table: Table from which the array was made, for messages.

    Returns:
        (H, W) uint8 train ids.

    Raises:
        ValueError: If the table does not have an id or a colour of the label.
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
            # OpenCV would return the colours of the palette instead of the ids. OpenCV and Pillow scale fewer than 8
            # bits up to 255, which is undone here.
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
        raise ValueError('the decoder failed')
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
            f'{path} has {channels} channels: set label_channel of the data set to the channel that holds the ids '
            '(label_channel=0 is red). If the channels are colours, set label_table to a table of colours, such as '
            "{(128, 64, 128): 0, ...} or 'cityscapes_palette', or use the id files of the data set"
        )
    if not 0 <= channel < channels:
        raise ValueError(f'{path} has {channels} channel(s), but label_channel is {channel} (from 0)')
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
        raise ValueError(f'{path} holds {ids.dtype} values, which are not label ids')
    whole = ids
    if ids.dtype.kind == 'f':
        if not np.isfinite(ids).all() or (ids != np.round(ids)).any():
            wrong = ids[~np.isfinite(ids) | (ids != np.round(ids))]
            raise ValueError(
                f'{path} holds {ids.dtype} values such as {wrong.flat[0]:g}, which are not label ids: {wrong.size:,} '
                f'of {ids.size:,} are not whole numbers'
            )
        whole = ids.astype(np.int64)
    low, high = int(whole.min()), int(whole.max())
    if low < -1 or high >= NUM_RAW_IDS:
        raise ValueError(
            f'{path} holds {ids.dtype} values from {low} to {high}; label ids are 0 to {NUM_RAW_IDS - 1}, and -1 for '
            f'{IGNORE_INDEX}: if these are ids of instances, save ids of classes instead'
        )
    if low == -1:
        whole = np.where(whole == -1, IGNORE_INDEX, whole)
    return whole.astype(np.uint8 if high < 256 else np.uint16)


def _colours(image: np.ndarray, bgr: bool, path: str) -> np.ndarray:
    channels = 1 if image.ndim == 2 else image.shape[2]
    if image.dtype != np.uint8 or channels not in (1, 3, 4):
        raise ValueError(
            f'{path} has {channels} channel(s) of {image.dtype}, but its label table maps colours: it needs red, '
            'green and blue of 8 bits, or a label table of ids'
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

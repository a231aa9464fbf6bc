"""Decoding of image files of every format."""

import io
from collections.abc import Sequence

import cv2
import mmcv
import numpy as np

from . import tiff
from .array_files import decode_array, is_array_file
from .image_files import PNG_SIGNATURE, header_of, turned, unreadable

_KEPT = '_ignore_orientation'
_STRETCHED = (1, 99)


def decode_image(
    data: bytes, path: str, color_type: str = 'color', backend: str = 'cv2', nan: float | None = None
) -> np.ndarray:
    """Decode an image file.

    Args:
        data: Content of the file.
        path: Its path, for messages. Files of arrays are recognised by the suffix.
        color_type: Flag of :func:`mmcv.imfrombytes`; ``'unchanged'`` returns all bands.
        backend: Backend of :func:`mmcv.imfrombytes`, for files of 8 bits.
        nan: Value that replaces NaN and infinite values. None makes them an error.

    Returns:
        (H, W, 3) in BGR order; (H, W) for ``'grayscale'``; (H, W, C) for ``'unchanged'``, where the first three of at
        least three channels are in BGR order. The dtype is uint8 for unsigned values of up to 8 bits, otherwise
        float32.

    Raises:
        OSError: If the file cannot be decoded.
        ModuleNotFoundError: If a package that reads such files is missing.
        ValueError: If the image has NaN or infinite values and ``nan`` is None, or if a colour or grey image is wanted
            and the file does not have one or three bands (alpha is not counted).
    """
    if is_array_file(path):
        return _as_asked(_in_bgr(decode_array(data, path)), path, color_type, nan)
    reason: Exception | None = None
    try:
        values = _wide(data, path, color_type)
        image = _mmcv(data, path, color_type, backend) if values is None else values
    except (cv2.error, OSError, SyntaxError, ValueError) as error:
        image, reason = None, error
    if image is None:
        values = image = _by_tifffile(data, path, color_type)
    if image is None:
        raise unreadable(path, str(reason or f'the {backend} decoder failed')) from reason
    if values is not None:
        return _as_asked(image, path, color_type, nan)
    return image[..., None] if color_type == 'unchanged' and image.ndim == 2 else image


def stored_image(
    values: np.ndarray, path: str, color_type: str = 'color', alpha: bool = False, nan: float | None = None
) -> np.ndarray:
    """Convert the stored values of an image, or of a window of it, to those that :func:`decode_image` returns.

    Args:
        values: (H, W, C), as stored.
        path: Path of the file, for messages.
        color_type: ``'color'`` or ``'unchanged'``.
        alpha: Whether the last of four channels is alpha. It is removed for ``'color'``.
        nan: Value that replaces NaN and infinite values. None makes them an error.

    Raises:
        ValueError: As :func:`decode_image`.
    """
    if alpha and color_type != 'unchanged':
        values = values[..., :3]
    return _as_asked(_in_bgr(values), path, color_type, nan)


def picture_of(data: bytes, path: str) -> np.ndarray:
    """Decode an image for display, (H, W, 3) uint8 in RGB order.

    Of more than three bands, the first three are shown. Values of more than 8 bits are scaled so that the 1st
    percentile becomes black and the 99th becomes white.

    Args:
        data: Content of the file.
        path: Its path.

    Raises:
        OSError: If the file cannot be decoded.
    """
    try:
        image = decode_image(data, path, nan=0.0)
    except ValueError:  # many bands
        image = decode_image(data, path, 'unchanged', nan=0.0)
        image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    if image.dtype != np.uint8:
        low, high = np.percentile(image, _STRETCHED)
        image = scaled(image, low, max(high, low + 1e-6)).astype(np.uint8)
    return np.ascontiguousarray(image[..., ::-1])


def select_bands(image: np.ndarray, bands: Sequence[int], path: str) -> np.ndarray:
    """Return selected bands of an image.

    Args:
        image: (H, W, C). The first three of at least three channels are in BGR order.
        bands: Indices of bands, counted from 0 in the order of the file: red, green, blue, ....
        path: Path of the file, for messages.

    Returns:
        (H, W, len(bands)). Three bands are returned in reverse order, like red, green and blue as BGR.

    Raises:
        ValueError: If the image has fewer bands.
    """
    count = image.shape[2]
    if max(bands) >= count:
        raise ValueError(
            f'{path} has {count} band(s), but bands={tuple(bands)} of LoadDomainImage, which counts '
            f'from 0, has {max(bands)}'
        )
    places = [2 - band if band < 3 <= count else band for band in bands]
    return np.ascontiguousarray(image[..., places[::-1] if len(places) == 3 else places])


def scaled(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale an image so that ``low`` becomes 0 and ``high`` becomes 255, and clip all other values; float32."""
    return ((image.astype(np.float32) - low) * (255 / (high - low))).clip(0, 255)


def _wide(data: bytes, path: str, color_type: str) -> np.ndarray | None:
    """Return the pixels of a file that mmcv would alter (more than 8 bits, or unusual bands); None for other files."""
    if data[:4] in tiff.SIGNATURES:
        header = tiff.read_header(io.BytesIO(data))
        if not header.common and not (header.photometric == tiff.PALETTE or header.bits < 8):
            return _in_bgr(turned(tiff.decode(data, path), header.orientation))
        wide = header.bits > 8
    else:
        wide = data.startswith(PNG_SIGNATURE) and data[24] == 16
    if not wide:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError('the decoder failed')
    if color_type != 'unchanged' and image.ndim == 3:
        image = image[..., :3]  # the fourth is alpha
    return _turned(image, data, path, color_type)


def _by_tifffile(data: bytes, path: str, color_type: str) -> np.ndarray | None:
    """Return the pixels of a valid TIFF file that OpenCV fails to decode; None for any other file."""
    values = tiff.decode_common(data, path)
    if values is None:
        return None
    image = _in_bgr(values)
    return image[..., :3] if color_type != 'unchanged' and image.shape[2] == 4 else image


def _mmcv(data: bytes, path: str, color_type: str, backend: str) -> np.ndarray | None:
    """Decode with mmcv, and apply the EXIF orientation for all formats; OpenCV does so only for some of them."""
    ours = backend == 'cv2' and color_type in ('color', 'grayscale', 'unchanged')
    kept = f'{color_type}{_KEPT}' if ours and color_type != 'unchanged' else color_type
    image = mmcv.imfrombytes(data, flag=kept, backend=backend)
    return _turned(image, data, path, color_type) if ours and image is not None else image


def _turned(image: np.ndarray, data: bytes, path: str, color_type: str) -> np.ndarray:
    header = None if data[:4] in tiff.SIGNATURES or color_type.endswith(_KEPT) else header_of(data, path)
    return image if header is None else turned(image, header.orientation)


def _in_bgr(image: np.ndarray) -> np.ndarray:
    """Return (H, W, C) with the first three channels reversed, if there are three."""
    if image.ndim == 2:
        return image[..., None]
    channels = image.shape[2]
    return image if channels < 3 else image[..., [2, 1, 0, *range(3, channels)]]


def _as_asked(image: np.ndarray, path: str, color_type: str, nan: float | None) -> np.ndarray:
    """Convert an image to (H, W, C) with the dtype and the channels that ``color_type`` selects."""
    image = image[..., None] if image.ndim == 2 else image
    if image.dtype == bool or image.dtype.kind not in 'iuf':
        if image.dtype != bool:
            raise ValueError(f'{path} holds {image.dtype} values: an image has integers or floats')
        image = image.astype(np.uint8)
    image = np.ascontiguousarray(image if image.dtype == np.uint8 else image.astype(np.float32))
    if image.dtype != np.uint8 and not np.isfinite(image).all():
        image = _without_nan(image, path, nan)
    if color_type == 'unchanged':
        return image
    channels = image.shape[2]
    if channels not in (1, 3):
        raise ValueError(
            f"{path} has {channels} bands: choose some, as in dict(type='LoadDomainImage', bands=(0, 1, 2)), or take "
            "all with color_type='unchanged'; data_preprocessor and in_channels of the backbone need the same number"
        )
    if color_type.startswith('grayscale'):
        return image[..., 0] if channels == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.repeat(image, 3, axis=2) if channels == 1 else image


def _without_nan(image: np.ndarray, path: str, nan: float | None) -> np.ndarray:
    wrong = ~np.isfinite(image)
    if nan is None:
        raise ValueError(
            f'{path} has {int(wrong.sum()):,} of {image.size:,} values that are NaN or infinite: give a value '
            "that replaces them, as in dict(type='LoadDomainImage', nan=0.0), or repair the file"
        )
    return np.where(wrong, np.float32(nan), image)

"""Image files: their bytes, checked to be whole, and their size, read from the header alone."""

import io
import os
import struct
import threading
from typing import BinaryIO

import mmengine.fileio as fileio
from PIL import Image

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
PNG_END = b'IEND\xaeB`\x82'
"""The last bytes of every PNG, before them the length of this chunk: 0."""

JPEG_SIGNATURE = b'\xff\xd8'

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm', '.pbm', '.pnm', '.jp2')
"""Ends of names of images, in any case."""

MAX_PIXELS = 178_956_970
"""Pixels from which on an image is refused unless the data set allows it: as Pillow, half a GB of colours."""

_EXIF_ORIENTATION = 0x0112
_opening = threading.Lock()


def read_image_bytes(path: str, backend_args: dict | None = None, max_pixels: int | None = MAX_PIXELS) -> bytes:
    """Read an image file as it is.

    Some decoders return half an image for half a file without a word, so the end of PNG and JPEG
    files is checked.

    Args:
        path: File name.
        backend_args: Of mmengine's file backend.
        max_pixels: Greatest number of pixels, by the header; None allows any.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read, is empty or truncated.
        ValueError: If it has too many pixels.
    """
    try:
        data = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist: check data_root and data_prefix of the data set') from None
    except OSError as error:
        raise OSError(f'{path} cannot be read: {error}') from error
    try:
        size = _header_size(io.BytesIO(data))
    except (OSError, SyntaxError, ValueError):
        pass  # a format that Pillow does not know; OpenCV, which may, has a bound of its own
    else:
        check_pixels(path, size, max_pixels)
    if not _ends_well(data):
        try:
            with open_image(io.BytesIO(data)) as image:
                image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise unreadable(path, str(error)) from error
    return data


def unreadable(path: str, reason: str) -> OSError:
    """The error for a file that is there but no image."""
    # PIL names the buffer it was given, which tells the user nothing.
    reason = 'not an image' if 'BytesIO' in reason or 'cannot identify' in reason else reason
    return OSError(f'{path} cannot be decoded ({reason}): it is damaged or no image; copy or download it again')


def image_size(path: str) -> tuple[int, int]:
    """(width, height) of a local image file, decoding nothing.

    A JPEG that a decoder would turn on its side, by its EXIF orientation, has the turned size.

    Raises:
        OSError: If it is missing or no image.
    """
    with open(path, 'rb') as file:
        return _header_size(file)


def check_pixels(path: str, size: tuple[int, int], max_pixels: int | None) -> None:
    """Refuse an image whose decoding would take the memory of the machine.

    Args:
        path: For the message.
        size: Width and height.
        max_pixels: Greatest number of pixels; None allows any.

    Raises:
        ValueError: If it has more.
    """
    width, height = size
    if max_pixels is not None and width * height > max_pixels:
        raise ValueError(
            f'{path} has {width}x{height} = {width * height:,} pixels, more than max_pixels={max_pixels:,}: such a '
            'file may take all memory when it is decoded. If it is meant to be so large, set max_pixels of its data '
            'set to more, or to None'
        )


def open_image(file: BinaryIO) -> Image.Image:
    """Open an image by Pillow without Pillow's own bound on pixels, which no option of a data set could lift."""
    with _opening:
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _header_size(file: BinaryIO) -> tuple[int, int]:
    head = file.read(24)
    if len(head) == 24 and head.startswith(PNG_SIGNATURE):
        return struct.unpack('>II', head[16:24])
    file.seek(0)
    with open_image(file) as image:
        width, height = image.size
        if head.startswith(JPEG_SIGNATURE) and image.getexif().get(_EXIF_ORIENTATION, 1) >= 5:
            width, height = height, width
        return width, height


def is_whole_png(path: str | os.PathLike) -> bool:
    """Return whether a local file is there and ends as a PNG does, reading the end alone."""
    try:
        with open(path, 'rb') as file:
            file.seek(-len(PNG_END), os.SEEK_END)
            return file.read() == PNG_END
    except OSError:
        return False


def _ends_well(data: bytes) -> bool:
    if data.startswith(PNG_SIGNATURE):
        return data.endswith(PNG_END)
    if data.startswith(JPEG_SIGNATURE):
        return data[-64:].rstrip(b'\0').endswith(b'\xff\xd9')
    return False

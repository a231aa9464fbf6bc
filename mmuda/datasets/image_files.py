"""Image files: reading their bytes with a check for truncation, and reading their size from the header alone."""

import io
import math
import os
import struct
import threading
from typing import BinaryIO, NamedTuple

import cv2
import mmengine.fileio as fileio
import numpy as np
from PIL import Image

from mmuda.zip_files import open_file

from . import tiff
from .array_files import array_shape, is_array_file, split_member

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
PNG_END = b'IEND\xaeB`\x82'
"""The last bytes of every PNG file: name and checksum of its last chunk."""

JPEG_SIGNATURE = b'\xff\xd8'

MAX_PIXELS = 178_956_970
"""Default limit for the pixels of an image. Pillow raises its own error at the same number: half a GB of RGB values."""

IMAGE_SUFFIXES = (
    *('.png', '.jpg', '.jpeg', '.jpe', '.tif', '.tiff', '.bmp', '.webp', '.jp2', '.ppm', '.pgm', '.pbm', '.pnm'),
    *('.npy', '.npz', '.nii', '.nii.gz'),
)
"""Suffixes of the files that are read as images, in lower case. File names are compared regardless of case."""

_EXIF_ORIENTATION = 0x0112
_MIRRORED = (2, 4, 5, 7)
_ROTATIONS = {
    **dict.fromkeys((3, 4), cv2.ROTATE_180),
    **dict.fromkeys((5, 6), cv2.ROTATE_90_CLOCKWISE),
    **dict.fromkeys((7, 8), cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_MOST_CHUNKS = 64
_opening = threading.Lock()


class ImageHeader(NamedTuple):
    """Size and orientation of an image.

    Attributes:
        width: Width in pixels, as stored.
        height: Height in pixels, as stored.
        orientation: EXIF orientation, 1 to 8; 1 means that the image is shown as stored.
        planes: Number of bands, pages or slices that are decoded together, for formats that can have many; else 1.
    """

    width: int
    height: int
    orientation: int = 1
    planes: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels after the EXIF orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_image_bytes(path: str, backend_args: dict | None = None, max_pixels: int | None = MAX_PIXELS) -> bytes:
    """Read the bytes of an image file and check that the file is complete.

    Some decoders silently return a partial image for a truncated file, so the end of PNG and JPEG files and the strips
    or tiles of TIFF files are checked. Files of other formats, and files with an unusual end, are decoded once as a
    check. Files of arrays are not checked here.

    Args:
        path: Path of the file. For an image in a file of several (see :mod:`~mmuda.datasets.array_files`), the whole
            file is read.
        backend_args: Arguments of mmengine's file backend.
        max_pixels: Largest number of pixels that is allowed, compared with the header; None allows any.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it cannot be read, is empty or truncated.
        ValueError: If it has too many pixels.
    """
    data = _read(path, backend_args)
    header = header_of(data, path)
    if header is not None:
        check_pixels(path, header.size, max_pixels, header.planes)
    if data[:4] in tiff.SIGNATURES or is_array_file(path):
        if data[:4] in tiff.SIGNATURES and not tiff.is_whole(data):
            raise unreadable(path, 'it is cut off')
    elif not _ends_well(data):
        try:
            with open_image(io.BytesIO(data)) as image:
                image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise unreadable(path, str(error)) from error
    return data


def unreadable(path: str, reason: str) -> OSError:
    """Return the error for a file that exists but cannot be decoded."""
    # Pillow's message names the buffer in memory instead of the file.
    reason = 'not an image' if 'BytesIO' in reason or 'cannot identify' in reason else reason
    return OSError(f'{path} cannot be decoded ({reason}): it is damaged or not an image; copy or download it again')


def image_size(path: str, oriented: bool = True) -> tuple[int, int]:
    """Return (width, height) of an image file on a local disk or in a zip archive, without decoding it.

    Args:
        path: As for :func:`read_image_bytes`.
        oriented: Return the size after the EXIF orientation is applied, as images are loaded by default.

    Raises:
        OSError: If the file is missing or not an image.
        ValueError: If it is damaged.
    """
    header = header_at(path)
    return header.size if oriented else (header.width, header.height)


def header_at(path: str) -> ImageHeader:
    """Return the header of an image file on a local disk or in a zip archive. The errors are those of image_size."""
    with open_file(split_member(path)[0]) as file:
        return read_header(file, path)


def file_of(path: str) -> str:
    """Return the path of the file on the disk that contains an image."""
    return split_member(path)[0]


def header_of(data: bytes, path: str) -> ImageHeader | None:
    """Return the header of an image file from its bytes; None if neither mmuda nor Pillow can read the format."""
    try:
        return read_header(io.BytesIO(data), path)
    except (OSError, SyntaxError, ValueError):
        return None  # OpenCV may be able to read it, and has its own limit on pixels


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation to an image.

    Args:
        image: (H, W) or (H, W, C), as stored.
        orientation: EXIF orientation, 1 to 8.

    Returns:
        The rotated or mirrored image. H and W are exchanged for orientations 5 to 8.
    """
    if orientation in _ROTATIONS:
        image = cv2.rotate(image, _ROTATIONS[orientation])
    return cv2.flip(image, 1) if orientation in _MIRRORED else image


def check_pixels(path: str, size: tuple[int, int], max_pixels: int | None, planes: int = 1) -> None:
    """Check that an image is not so large that decoding it could fill the memory.

    Args:
        path: Path of the image, for the message.
        size: (width, height) in pixels.
        max_pixels: Largest number of pixels that is allowed; None allows any.
        planes: Number of bands, pages or slices; see :func:`pixels_of`.

    Raises:
        ValueError: If the image has more pixels.
    """
    width, height = size
    pixels = pixels_of(size, planes)
    if max_pixels is not None and pixels > max_pixels:
        values = (
            f'{width}x{height}x{planes} values, as many as {pixels:,}'
            if planes > 3
            else f'{width}x{height} = {pixels:,}'
        )
        raise ValueError(
            f'{path} has {values} pixels, more than max_pixels={max_pixels:,}: such a file can fill the memory when it '
            'is decoded. If the size is intended, set max_pixels to a larger number or to None: in the data set or, '
            'for a data set of mmseg, in the step of the pipeline that loads the file'
        )


def pixels_of(size: tuple[int, int], planes: int = 1) -> int:
    """Return the number of pixels to decode. Each plane beyond the third counts as a third of the image."""
    return size[0] * size[1] * max(planes, 3) // 3


def open_image(file: BinaryIO) -> Image.Image:
    """Open an image with Pillow, but without Pillow's own limit on pixels, which data sets could not raise."""
    with _opening:
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def read_header(file: BinaryIO, path: str) -> ImageHeader:
    """Return the header of an image file.

    Args:
        file: The file, opened in binary mode, at its start.
        path: Its path. Files of arrays are recognised by the suffix.

    Raises:
        OSError: If it is not an image.
        ValueError: If it is damaged.
    """
    if is_array_file(path):
        height, width, *rest = array_shape(file, path)
        return ImageHeader(width, height, planes=math.prod(rest))
    head = file.read(24)
    if head.startswith(PNG_SIGNATURE) and len(head) == 24 and not _has_exif(file):
        return ImageHeader(*struct.unpack('>II', head[16:24]))
    file.seek(0)
    if head[:4] in tiff.SIGNATURES:
        found = tiff.read_header(file)
        return ImageHeader(found.width, found.height, found.orientation, found.bands * (1 + found.pages))
    with open_image(file) as image:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
        return ImageHeader(*image.size, orientation if orientation in range(1, 9) else 1)


def _has_exif(file: BinaryIO) -> bool:
    """Return whether a PNG file has EXIF data before its pixels."""
    file.seek(len(PNG_SIGNATURE))
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8 or chunk[4:] == b'IDAT':
            return False
        if chunk[4:] == b'eXIf':
            return True
        file.seek(struct.unpack('>I', chunk[:4])[0] + 4, os.SEEK_CUR)
    return False


def _read(path: str, backend_args: dict | None) -> bytes:
    try:
        return fileio.get(file_of(path), backend_args=backend_args)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist: check data_root and data_prefix of the data set') from None
    except OSError as error:
        raise OSError(f'{path} cannot be read: {error}') from error


def is_whole_png(path: str | os.PathLike) -> bool:
    """Return whether a local file exists and ends as a PNG file does. Only the end is read."""
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

"""Images in files of arrays: ``.npy``, ``.npz`` and NIfTI volumes.

The path of an image in a file of several is written as if the file were a folder: ``scan.npz/label`` is the array
``label``, and ``volume.nii.gz/012`` is slice 12 of a volume along its last axis. Each image has a path of its own, so
lists, pseudo labels and predictions need no special case.
"""

import gzip
import io
import math
import re
import struct
import zipfile
import zlib
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from mmuda.zip_files import open_file

GZIP_SIGNATURE = b'\x1f\x8b'

_MEMBER = re.compile(r'(.*\.(?:npz|nii|nii\.gz))/([^/]+)', re.IGNORECASE | re.DOTALL)
_ARRAYS = re.compile(r'.*\.(npy|npz|nii|nii\.gz)', re.IGNORECASE | re.DOTALL)
_NIFTI_HEADER = 348
_KEPT_VOLUMES = 2


def split_member(path: str) -> tuple[str, str | None]:
    """Split a path into the file on the disk and the name of the image in it (None if it names the whole file)."""
    match = _MEMBER.fullmatch(path)
    return (match[1], match[2]) if match else (path, None)


def is_array_file(path: str) -> bool:
    """Return whether a path names a file of arrays, or an image in one. Only the suffix is compared."""
    return _ARRAYS.fullmatch(split_member(path)[0]) is not None


def is_volume(path: str) -> bool:
    """Return whether a path names a NIfTI volume, or a slice of one. Only the suffix is compared."""
    return split_member(path)[0].lower().endswith(('.nii', '.nii.gz'))


def array_shape(file: BinaryIO, path: str) -> tuple[int, ...]:
    """Return the shape of an image in a file of arrays; only the header is read.

    Args:
        file: The file, opened in binary mode, at its start.
        path: Path of the image. Its suffix gives the format.

    Returns:
        (H, W) or (H, W, C). C is the number of channels. Of a volume the shape is (H, W, slices, ...), because all
        slices are decoded together.

    Raises:
        ValueError: If the file is damaged or does not contain the image.
    """
    name, member = split_member(path)
    try:
        if is_volume(path):
            width, height, *rest = nifti_shape(file)
            return (height, width, *rest)
        if name.lower().endswith('.npz'):
            with zipfile.ZipFile(file) as archive, archive.open(_array_name(archive, member, path)) as inner:
                return _shaped(_npy_shape(inner, path), path)
        return _shaped(_npy_shape(file, path), path)
    except (OSError, EOFError, struct.error, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f'{path} is damaged ({error})') from error


def nifti_shape(file: BinaryIO) -> tuple[int, ...]:
    """Return the shape (X, Y, Z, ...) of a NIfTI volume from its header, without trailing axes of length 1.

    Args:
        file: The file, gzipped or not, opened in binary mode, at its start.

    Raises:
        ValueError: If the file is not a NIfTI volume.
    """
    start = file.read(2)
    file.seek(0)
    head = (gzip.open(file) if start == GZIP_SIGNATURE else file).read(_NIFTI_HEADER)
    for order in '<>':
        if len(head) == _NIFTI_HEADER and struct.unpack_from(order + 'i', head)[0] == _NIFTI_HEADER:
            count, *sizes = struct.unpack_from(order + '8h', head, 40)
            shape = tuple(sizes[:count])
            while len(shape) > 2 and shape[-1] == 1:
                shape = shape[:-1]
            if 2 <= len(shape) and all(size > 0 for size in shape):
                return shape
    raise ValueError('no NIfTI volume')


def slices_of(path: str) -> list[str]:
    """Return the paths of the slices of a volume; its own path if it has two dimensions.

    Args:
        path: NIfTI file on a local disk or in a zip archive.

    Raises:
        ValueError: If it is not a NIfTI volume of two or three dimensions.
        OSError: If it cannot be read.
    """
    with open_file(path) as file:
        try:
            shape = nifti_shape(file)
        except (OSError, EOFError, struct.error, zlib.error, ValueError) as error:
            raise ValueError(f'{path} is no NIfTI volume, or damaged ({error})') from error
    if len(shape) > 3:
        raise ValueError(f'{path} has the shape {shape}: split it into volumes of three dimensions')
    if len(shape) == 2:
        return [path]
    digits = max(3, len(str(shape[2] - 1)))
    return [f'{path}/{number:0{digits}d}' for number in range(shape[2])]


def decode_array(data: bytes, path: str) -> np.ndarray:
    """Decode an image in a file of arrays.

    Args:
        data: Content of the whole file.
        path: Path of the image. Its suffix gives the format.

    Returns:
        (H, W) or (H, W, C) with the dtype of the file. In an array of three dimensions, the shorter one of the first
        and the last axis holds the channels. The rows of a slice are the second axis of its volume.

    Raises:
        ModuleNotFoundError: If it is a NIfTI volume and nibabel is not installed.
        OSError: If the file is damaged.
        ValueError: If the file does not contain the image, or an array does not have two or three dimensions.
    """
    name, member = split_member(path)
    try:
        if is_volume(path):
            return _slice(data, name, member, path)
        if not name.lower().endswith('.npz'):
            return _channels_last(_load(io.BytesIO(data), path), path)
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(_array_name(archive, member, path)) as inner:
            return _channels_last(_load(inner, path), path)
    except (EOFError, struct.error, zipfile.BadZipFile, zlib.error) as error:
        raise OSError(f'{path} cannot be decoded ({error}): it is damaged; copy or download it again') from error


def load_mapped(path: str) -> np.ndarray:
    """Return the image in a ``.npy`` file on a local disk as a memory map, (H, W) or (H, W, C).

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If it is damaged.
        ValueError: If the array does not have two or three dimensions.
    """
    try:
        values = np.load(path, mmap_mode='r', allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise _damaged(path, error) from error
    return _channels_last(values, path)


def _array_name(archive: zipfile.ZipFile, member: str | None, path: str) -> str:
    names = [name.removesuffix('.npy') for name in archive.namelist() if name.endswith('.npy')]
    if member is None and len(names) == 1:
        return f'{names[0]}.npy'
    if member not in names:
        file = split_member(path)[0]
        asked = f'no array {member!r}' if member else f'{len(names)} arrays'
        listed = ', '.join(f'{file}/{name}' for name in names)
        raise ValueError(f'{file} has {asked}: name one of {listed or "none"} in the list of images and labels')
    return f'{member}.npy'


def _load(file: Any, path: str) -> np.ndarray:
    """Read an array, and not more bytes than its header announces."""
    try:
        values = npy_format.read_array(file, allow_pickle=False)
        file.read(1)  # at the end of a member, zipfile compares the checksum
        return values
    except ValueError as error:
        raise _damaged(path, error) from error


def _damaged(path: str, error: Exception) -> OSError:
    return OSError(f'{path} cannot be decoded ({error}): it is damaged, or does not hold an array of numbers')


def _npy_shape(file: Any, path: str) -> tuple[int, ...]:
    """Return the shape in the header of an array."""
    try:
        # Version 3 of the format differs from 2 only in the encoding of field names, which images do not have.
        first = npy_format.read_magic(file) == (1, 0)
        return (npy_format.read_array_header_1_0 if first else npy_format.read_array_header_2_0)(file)[0]
    except ValueError as error:
        raise ValueError(f'{path} is damaged, or not an array of NumPy ({error})') from error


def _shaped(shape: tuple[int, ...], path: str) -> tuple[int, ...]:
    """Return the shape of an image with its channels last."""
    if len(shape) == 2:
        return shape
    if len(shape) != 3:
        raise ValueError(f'{path} has the shape {shape}: an image is (H, W), (H, W, C) or (C, H, W)')
    return (*shape[1:], shape[0]) if shape[0] < shape[2] else shape


def _channels_last(values: np.ndarray, path: str) -> np.ndarray:
    shape = _shaped(values.shape, path)
    return values if shape == values.shape else np.moveaxis(values, 0, -1)


def _slice(data: bytes, name: str, member: str | None, path: str) -> np.ndarray:
    volume = _volume(data, name)
    if member is None:
        return np.swapaxes(volume, 0, 1)
    if volume.ndim != 3 or not member.isdecimal() or int(member) >= volume.shape[2]:
        raise ValueError(f'{path}: there is no slice {member!r} in a volume of the shape {volume.shape}')
    return volume[:, :, int(member)].T


def _unzipped(data: bytes) -> bytes:
    """Decompress a volume in a gzip file, and not more bytes than its header announces."""
    with gzip.open(io.BytesIO(data)) as file:
        shape = nifti_shape(io.BytesIO(data))
        head = file.read(_NIFTI_HEADER)
        order = '<' if struct.unpack_from('<i', head)[0] == _NIFTI_HEADER else '>'
        (bits,), (start,) = struct.unpack_from(order + 'h', head, 72), struct.unpack_from(order + 'f', head, 108)
        values = head + file.read(max(int(start), _NIFTI_HEADER) + math.prod(shape) * max(bits, 8) // 8 - len(head))
        file.read(1)  # at the end of the file, gzip compares the checksum
    return values


@lru_cache(_KEPT_VOLUMES)
def _volume(data: bytes, name: str) -> np.ndarray:
    """Return the values of a volume. The last volumes are kept, because their slices are often read in succession."""
    try:
        import nibabel
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f'{name} is a NIfTI volume, which needs nibabel: pip install nibabel') from None
    unzipped = _unzipped(data) if data.startswith(GZIP_SIGNATURE) else data
    # Many files have NaN as slope and intercept, which means no scaling. nibabel handles that.
    values = np.asarray(nibabel.Nifti1Image.from_bytes(unzipped).dataobj)
    while values.ndim > 2 and values.shape[-1] == 1:
        values = values[..., 0]
    return values

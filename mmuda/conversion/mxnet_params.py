"""Reading of MXNet's ``.params`` files (lists of named arrays) with NumPy alone.

The format, little-endian: u64 0x112, u64 0, u64 n and n array records, u64 m and m names (u64 length, UTF-8). A record
begins with a u32 for its version: 0xF993FAC9 (V2, MXNet 1.0 and later, dense or sparse), 0xF993FAC8 (V1), or the number
of dimensions itself (files of 2016 and 2017). Files can come from anywhere. Every number in a file is therefore
compared with the bytes that are left before it is used, and reading allocates at most twice the size of the file plus
64 KiB.
"""

import io
import os
import struct
import sys
from math import prod
from pathlib import Path
from typing import cast

import numpy as np

MAGIC = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DENSE, ROW_SPARSE, CSR = 0, 1, 2
DTYPES = {0: '<f4', 1: '<f8', 2: '<f2', 3: 'u1', 4: '<i4', 5: 'i1', 6: '<i8'}
MAX_DIMS = 32
MAX_NAME = 1 << 16
ARRAY, SIDE = 250, 32
"""Bytes of an array beside its data and its name, entries of lists and dicts included; and bytes of each dimension."""
FLOOR = 1 << 16
"""Bytes that reading can always allocate, however small the file is."""
CHUNK = 1 << 12
"""Entries of a CSR array that are written to the dense array at a time."""
EMPTY = np.empty(0, np.float32)
"""The array for all records without dimensions."""


class ParamsError(ValueError):
    """A file is not a valid list of arrays."""


def read_params(path: str | Path) -> dict[str, np.ndarray]:
    """Return all arrays of a file by name, in the order of the file.

    Names keep their prefix ``arg:`` or ``aux:``. In a list without names they are '0', '1', ... Sparse arrays become
    dense. Memory, objects of Python included, stays below twice the size of the file plus 64 KiB.

    Args:
        path: A ``.params`` file.

    Raises:
        FileNotFoundError: If there is no such file.
        ParamsError: If the file is malformed. The message has the byte offset, the value found and the value expected.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist: expected a .params file of MXNet')
    with open(path, 'rb') as file:
        reader = _Reader(file, path)
        arrays = reader.arrays()
        names = reader.names(len(arrays))
        reader.end()
    return dict(zip(names, arrays, strict=True))


def is_params(path: str | Path) -> bool:
    """Return whether a file begins as the files of MXNet do, whatever its name."""
    with open(path, 'rb') as file:
        return file.read(8) == MAGIC.to_bytes(8, 'little')


class _Reader:
    """A cursor over the file, with the bytes that are left and the bytes that can still be allocated."""

    def __init__(self, file: io.BufferedReader, path: Path) -> None:
        self.file, self.path = file, path
        self.size = os.fstat(file.fileno()).st_size
        self.place = 0
        self.budget = 2 * self.size + FLOOR
        """Bytes that can still be allocated."""

    @property
    def left(self) -> int:
        return self.size - self.place

    def error(
        self,
        found: str,
        place: int = -1,
        remedy: str = 'It is not a complete .params file of MXNet (V2, V1 or older): copy or download it again',
    ) -> ParamsError:
        return ParamsError(f'{self.path}, byte {self.place if place < 0 else place}: {found}. {remedy}')

    def allow(self, count: int, what: str) -> None:
        """Subtract bytes that are about to be allocated from the budget.

        Raises:
            ParamsError: If they exceed the budget.
        """
        if count > self.budget:
            raise self.error(
                f'{what} would take {count} bytes: more than twice the size of the file ({self.size} bytes) for all',
                remedy='The arrays of a network are larger and less sparse: copy or download the file again',
            )
        self.budget -= count

    # Numbers, as the file has them.

    def take(self, count: int, what: str) -> bytes:
        if count > self.left:
            raise self.error(f'{what} needs {count} bytes, but {self.left} are left')
        data = self.file.read(count)
        if len(data) != count:
            raise self.error(f'{what} needs {count} bytes, but the file ended: it changed while it was read')
        self.place += count
        return data

    def number(self, kind: str, what: str) -> int:
        return struct.unpack(f'<{kind}', self.take(struct.calcsize(f'<{kind}'), what))[0]

    # The three parts of a file.

    def arrays(self) -> list[np.ndarray]:
        magic = self.number('Q', 'the header')
        if magic != MAGIC:
            raise self.error(f'the file begins with {magic:#x}, expected {MAGIC:#x}', 0)
        reserved = self.number('Q', 'the header')
        if reserved:
            raise self.error(f'the header continues with {reserved:#x}, expected 0', 8)
        count = self.number('Q', 'the number of arrays')
        if count > self.left // 4:  # the smallest record
            raise self.error(f'{count} arrays cannot be in the {self.left} bytes that are left', 16)
        self.allow(count * ARRAY, f'{count} arrays')
        return [self.array() for _ in range(count)]

    def names(self, expected: int) -> list[str]:
        count = self.number('Q', 'the number of names')
        if count not in (0, expected):
            raise self.error(f'{count} names for {expected} arrays, expected {expected} or none')
        if count == 0:
            self.allow(expected * sys.getsizeof(str(expected)), 'names')
            return [str(index) for index in range(expected)]
        names: dict[str, None] = {}
        for _ in range(count):
            place = self.place
            length = self.number('Q', 'the length of a name')
            if length > MAX_NAME:
                raise self.error(f'a name of {length} bytes, expected at most {MAX_NAME}', place)
            try:
                name = self.take(length, 'a name').decode()
            except UnicodeDecodeError:
                raise self.error('a name that is not UTF-8', place) from None
            self.allow(sys.getsizeof(name), 'names')  # one rare letter makes all letters take four bytes
            if name in names:
                raise self.error(f'{name[:80]!r} is the name of two arrays', place)
            names[name] = None
        return list(names)

    def end(self) -> None:
        if self.left:
            raise self.error(f'{self.left} bytes after the last name, expected none')

    # Array records.

    def array(self) -> np.ndarray:
        place = self.place
        first = self.number('I', 'an array')
        if first == V3:
            raise self.error(
                'an array in the NumPy-shape format of MXNet 1.6 (V3), which is not supported',
                place,
                'Save it again with MXNet, without mxnet.npx.set_np()',
            )
        kind, storage = DENSE, cast(tuple[int, ...], ())
        if first == V2:
            kind = self.number('i', 'a storage type')
            if kind not in (DENSE, ROW_SPARSE, CSR, -1):
                raise self.error(f'storage type {kind}, expected 0 (dense), 1 (row sparse) or 2 (CSR)', place + 4)
            if kind in (ROW_SPARSE, CSR):
                storage = self.shape(self.number('I', 'a shape'), 'q')
            shape = self.shape(self.number('I', 'a shape'), 'q')
        elif first == V1:
            shape = self.shape(self.number('I', 'a shape'), 'q')
        else:  # the first number is the number of dimensions
            shape = self.shape(first, 'I')
        if not shape:
            return EMPTY
        if kind == -1:
            raise self.error('an array of undefined storage type that has a shape', place)
        self.take(8, 'a device')  # the device that an array was saved from does not matter
        dtype = self.dtype()
        if kind == DENSE:
            return self.values(shape, dtype)
        return self.sparse(kind, shape, storage, dtype)

    def shape(self, ndim: int, kind: str) -> tuple[int, ...]:
        if ndim > MAX_DIMS:
            raise self.error(f'an array of {ndim} dimensions, expected at most {MAX_DIMS}')
        shape = tuple(self.number(kind, 'a shape') for _ in range(ndim))
        if any(side < 0 for side in shape):
            raise self.error(f'the shape {shape}, expected no negative size')
        return shape

    def dtype(self) -> np.dtype:
        flag = self.number('i', 'a data type')
        if flag not in DTYPES:
            raise self.error(f'data type {flag}, expected one of {sorted(DTYPES)}', self.place - 4)
        return np.dtype(DTYPES[flag])

    def values(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Read the next bytes as an array."""
        needed = prod(shape) * dtype.itemsize  # Python's integers do not overflow
        if needed > self.left:
            raise self.error(
                f'an array of shape {shape} and {dtype.name} needs {needed} bytes, but {self.left} are left'
            )
        array = self.room(shape, dtype)
        if needed:
            if self.file.readinto(array.data) != needed:
                raise self.error('the file ended: it changed while it was read')
            self.place += needed
        return array.astype(dtype.newbyteorder('='), copy=False)

    def room(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        self.allow(prod(shape) * dtype.itemsize + len(shape) * SIDE, f'an array of shape {shape}')
        try:
            return np.zeros(shape, dtype)
        except (ValueError, MemoryError) as error:  # sizes beyond any machine, one of them zero
            raise self.error(f'no array has the shape {shape} ({error})') from None

    def sparse(self, kind: int, shape: tuple[int, ...], storage: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Read a row-sparse or CSR array as a dense one."""
        place = self.place
        parts = [(self.dtype(), self.shape(self.number('I', 'a shape'), 'q')) for _ in range(kind)]
        data = self.values(storage, dtype)
        aux = [self.values(aux_shape, aux_dtype) for aux_dtype, aux_shape in parts]
        if any(part.dtype != np.int64 or part.ndim != 1 for part in aux):
            raise self.error('indices of a sparse array that are not lists of int64', place)
        if kind == ROW_SPARSE:
            rows = aux[0]
            fits = storage[:1] == rows.shape and storage[1:] == shape[1:] and _increasing(rows, shape[0])
        else:
            fits = len(shape) == 2 and _csr_fits(shape, storage, *aux)
        if not fits:
            raise self.error(
                f'indices of a sparse array that do not fit its shape {shape} and its data {storage}', place
            )
        dense = self.room(shape, data.dtype)
        if kind == CSR:
            for start in range(0, len(data), CHUNK):  # all rows at once would be larger than the file
                stop = min(start + CHUNK, len(data))
                rows = np.searchsorted(aux[0], np.arange(start, stop), side='right') - 1
                dense[rows, aux[1][start:stop]] = data[start:stop]
        else:
            dense[rows] = data
        return dense


def _increasing(indices: np.ndarray, end: int) -> bool:
    """Return whether indices are in [0, end), each above the one before."""
    return not len(indices) or bool(indices[0] >= 0 and indices[-1] < end and (indices[1:] > indices[:-1]).all())


def _csr_fits(shape: tuple[int, ...], storage: tuple[int, ...], ends: np.ndarray, columns: np.ndarray) -> bool:
    """Return whether the row ends and columns of a CSR array are those of a matrix of this shape."""
    if storage != columns.shape or len(ends) != shape[0] + 1 or ends[0] != 0 or ends[-1] != len(columns):
        return False
    inside = (columns >= 0) & (columns < shape[1])
    return bool((ends[1:] >= ends[:-1]).all() and inside.all())

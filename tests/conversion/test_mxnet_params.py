"""The reader of `.params` files, with files written by hand, malicious ones and mutated ones."""

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mmuda.conversion import ParamsError, read_params

GOLDEN = Path(os.environ.get('MMUDA_GOLDEN_DIR') or Path(__file__).parents[1] / 'data/golden') / 'cbst'
HEADER = struct.pack('<QQ', 0x112, 0)


def file_of(records, names=None) -> bytes:
    names = [f'arg:{i}'.encode() for i in range(len(records))] if names is None else names
    return b''.join(
        [
            HEADER,
            struct.pack('<Q', len(records)),
            *records,
            struct.pack('<Q', len(names)),
            *(struct.pack('<Q', len(name)) + name for name in names),
        ]
    )


def v2(shape, data: bytes = b'', dtype: int = 0, storage: int = 0, middle: bytes = b'') -> bytes:
    return (
        struct.pack(f'<Ii{len(middle)}sI{len(shape)}qiii', 0xF993FAC9, storage, middle, len(shape), *shape, 1, 0, dtype)
        + data
    )


def shape_record(*shape) -> bytes:
    return struct.pack(f'<I{len(shape)}q', len(shape), *shape)


def read(tmp_path, content: bytes) -> dict:
    path = tmp_path / 'some.params'
    path.write_bytes(content)
    return read_params(path)


def peak_of_reading(path: Path) -> tuple:
    """Return the arrays or the error of reading a file, and the peak of the allocated memory in bytes."""
    tracemalloc.start()
    try:
        found = read_params(path)
    except ParamsError as error:
        found = error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return found, peak


def test_the_example_of_the_format(tmp_path):
    content = (
        bytes.fromhex(
            '12 01 00 00 00 00 00 00'
            '00 00 00 00 00 00 00 00'
            '01 00 00 00 00 00 00 00'
            'c9 fa 93 f9'
            '00 00 00 00'
            '02 00 00 00'
            '02 00 00 00 00 00 00 00'
            '03 00 00 00 00 00 00 00'
            '01 00 00 00 00 00 00 00'
            '00 00 00 00'
        )
        + np.arange(6, dtype='<f4').tobytes()
        + bytes.fromhex('01 00 00 00 00 00 00 0005 00 00 00 00 00 00 00')
        + b'arg:a'
    )
    assert len(content) == 109
    found = read(tmp_path, content)
    np.testing.assert_array_equal(found['arg:a'], [[0, 1, 2], [3, 4, 5]])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.params does not exist'):
        read_params(tmp_path / 'nowhere.params')


def csr(ends=(0, 2, 2, 3), columns=(0, 3, 1), shape=(3, 4)) -> bytes:
    ends, columns = np.asarray(ends, '<i8'), np.asarray(columns, '<i8')
    head = (
        struct.pack('<Ii', 0xF993FAC9, 2)
        + shape_record(len(columns))
        + shape_record(*shape)
        + struct.pack('<iii', 1, 0, 3)
    )
    aux = struct.pack('<i', 6) + shape_record(len(ends)) + struct.pack('<i', 6) + shape_record(len(columns))
    return head + aux + bytes((1 + i) % 256 for i in range(len(columns))) + ends.tobytes() + columns.tobytes()


SEEDS = [*(path.read_bytes() for path in sorted(GOLDEN.glob('toy_*.params'))), file_of([csr(), v2((2,), bytes(8))])]


def test_csr(tmp_path):
    found = read(tmp_path, file_of([csr()]))['arg:0']
    np.testing.assert_array_equal(found, [[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]])


@pytest.mark.parametrize('device', [(0, 0), (2, 7), (4, 0), (6, 0), (1, -1), (99, 1024)])
def test_where_an_array_was_saved_from_does_not_matter(tmp_path, device):
    record = v2((3,), bytes(12)).replace(struct.pack('<ii', 1, 0), struct.pack('<ii', *device), 1)
    assert read(tmp_path, file_of([record]))['arg:0'].tolist() == [0, 0, 0]


@pytest.mark.parametrize('length', [1025, 2**16])
def test_long_names(tmp_path, length):
    assert list(read(tmp_path, file_of([v2((1,), b'1234')], [b'x' * length]))) == ['x' * length]


@pytest.mark.parametrize('count, size', [(1, 1), (195, 1), (1000, 64), (4000, 64)])
def test_many_small_arrays(tmp_path, count, size):
    names = [f'arg:res{index:04}b12_branch2b1_moving_variance'.encode() for index in range(count)]
    found = read(tmp_path, file_of([v2((size,), bytes(4 * size))] * count, names))
    assert len(found) == count and all(array.shape == (size,) for array in found.values())


@pytest.mark.parametrize(
    'changed',
    [
        dict(columns=(0, 4, 1)),
        dict(columns=(0, -1, 1)),
        dict(ends=(0, 2, 1, 3)),
        dict(ends=(1, 2, 2, 3)),
        dict(ends=(0, 2, 2, 4)),
        dict(ends=(0, 2, 3)),
    ],
)
def test_csr_with_indices_that_do_not_fit(tmp_path, changed):
    with pytest.raises(ParamsError, match='indices of a sparse array that do not fit'):
        read(tmp_path, file_of([csr(**changed)]))


def test_row_sparse_with_every_row(tmp_path):
    """A row-sparse array with every row is read; its dense form takes most of the file size and is still allowed."""
    values, rows = np.arange(80, dtype='<f4').reshape(10, 8), np.arange(10, dtype='<i8')
    head = struct.pack('<Ii', 0xF993FAC9, 1) + shape_record(10, 8) + shape_record(10, 8) + struct.pack('<iii', 1, 0, 0)
    record = head + struct.pack('<i', 6) + shape_record(10) + values.tobytes() + rows.tobytes()
    np.testing.assert_array_equal(read(tmp_path, file_of([record]))['arg:0'], values)


def test_empty_arrays(tmp_path):
    found = read(
        tmp_path, file_of([v2((0, 3)), struct.pack('<iII', 0, 0, 0)[:4], struct.pack('<IiI', 0xF993FAC9, -1, 0)])
    )
    assert [array.size for array in found.values()] == [0, 0, 0]


@pytest.mark.parametrize(
    'content, message',
    [
        (file_of([v2((2**40, 2**40))]), 'needs 4835703278458516698824704 bytes'),
        (file_of([v2((0, 2**62, 2**62))]), 'no array has the shape'),
        (file_of([v2((2**62, 4))]), 'needs'),
        (file_of([v2((-1, 4))]), 'expected no negative size'),
        (file_of([v2((1,), b'1234', dtype=9)]), 'data type 9'),
        (file_of([v2((1,), b'1234', storage=7)]), 'storage type 7'),
        (file_of([v2((1,), b'1234', storage=-1)]), 'undefined storage type'),
        (file_of([struct.pack('<I', 0xF993FACA) + bytes(40)]), r'NumPy-shape format of MXNet 1.6 \(V3\)'),
        (file_of([v2((1,), b'1234')], [b'a'] * 2), '2 names for 1 arrays'),
        (file_of([v2((1,), b'1234')] * 2, [b'a', b'a']), "'a' is the name of two arrays"),
        (file_of([v2((1,), b'1234')], [b'\xff\xfe']), 'not UTF-8'),
        (file_of([v2((1,), b'1234')], [b'x' * 70000]), 'a name of 70000 bytes'),
        (file_of([v2((1,), b'1234')]) + b'more', '4 bytes after the last name'),
        (struct.pack('<QQQQ', 0x112, 1, 0, 0), 'continues with 0x1, expected 0'),
        (HEADER + struct.pack('<Q', 2**60), '1152921504606846976 arrays cannot be'),
        (HEADER + struct.pack('<QI', 1, 33) + bytes(300), '33 dimensions'),
        (
            file_of(
                [v2((2**40, 3), storage=1, middle=shape_record(0, 3), dtype=0) + struct.pack('<i', 6) + shape_record(0)]
            ),
            'more than twice the size of the file',
        ),
        (b'PK\x03\x04' + bytes(100), 'the file begins with'),
    ],
)
def test_hostile_files_end_in_one_clear_error_and_take_no_memory(tmp_path, content, message):
    path = tmp_path / 'some.params'
    path.write_bytes(content)
    with pytest.raises(ParamsError, match=message):
        read_params(path)
    assert peak_of_reading(path)[1] < 2 * len(content) + 2**17


def test_a_large_file_is_held_once(tmp_path):
    values = np.random.default_rng(0).random(2**20, np.float32)
    path = tmp_path / 'large.params'
    path.write_bytes(file_of([v2((2**20,), values.tobytes())]))
    found, peak = peak_of_reading(path)
    np.testing.assert_array_equal(found['arg:0'], values)
    assert peak < 1.1 * path.stat().st_size


def test_a_file_of_nothing_but_empty_arrays_is_refused(tmp_path):
    path = tmp_path / 'many.params'
    path.write_bytes(HEADER + struct.pack('<Q', 2**18) + bytes(4 * 2**18) + bytes(8))
    found, peak = peak_of_reading(path)
    assert isinstance(found, ParamsError) and peak < 2 * path.stat().st_size + 2**17


@pytest.mark.parametrize('record', [csr(), v2((0, 3)), v2((1,), b'1234')])
def test_thousands_of_tiny_arrays_would_take_more_than_the_file(tmp_path, record):
    path = tmp_path / 'small.params'
    path.write_bytes(file_of([record] * 4096))
    found, peak = peak_of_reading(path)
    assert 'more than twice the size of the file' in str(found) and peak < 2 * path.stat().st_size + 2**17


def test_thousands_of_arrays_of_some_size(tmp_path):
    path = tmp_path / 'many.params'
    path.write_bytes(file_of([v2((128,), bytes(512))] * 4096))
    found, peak = peak_of_reading(path)
    assert len(found) == 4096 and peak < 2 * path.stat().st_size


@pytest.mark.parametrize('letter, read', [('a', True), ('\u00e9', True), ('\U0001d49c', False)])
def test_names_take_no_more_memory_than_allowed(tmp_path, letter, read):
    """Names stay within the memory limit, even if a rare letter makes Python use 4 bytes for each letter."""
    names = [letter.encode() + f'{index:01000}'.encode() for index in range(4000)]
    path = tmp_path / 'names.params'
    path.write_bytes(file_of([v2((0, 3))] * 4000, names))
    found, peak = peak_of_reading(path)
    assert isinstance(found, dict) == read
    assert peak < 2 * path.stat().st_size + 2**17


@pytest.mark.parametrize('shape, rows', [((12, 5), 3), ((20, 4), 2), ((100, 8), 2), ((7, 3, 2), 4)])
def test_row_sparse_arrays_are_larger_than_small_files(tmp_path, shape, rows):
    values, places = (
        np.random.default_rng(0).random((rows, *shape[1:]), np.float32),
        np.arange(rows, dtype='<i8') * 2 % shape[0],
    )
    places.sort()
    head = (
        struct.pack('<Ii', 0xF993FAC9, 1)
        + shape_record(*values.shape)
        + shape_record(*shape)
        + struct.pack('<iii', 1, 0, 0)
    )
    record = head + struct.pack('<i', 6) + shape_record(rows) + values.tobytes() + places.tobytes()
    dense = np.zeros(shape, np.float32)
    dense[places] = values
    np.testing.assert_array_equal(read(tmp_path, file_of([record]))['arg:0'], dense)


def test_a_large_sparse_array_is_placed_piece_by_piece(tmp_path):
    count = 2**17
    record = csr(ends=np.arange(count + 1), columns=np.zeros(count, int), shape=(count, 1))
    path = tmp_path / 'sparse.params'
    path.write_bytes(file_of([record]))
    found, peak = peak_of_reading(path)
    assert found['arg:0'].shape == (count, 1) and peak < 2 * path.stat().st_size


@st.composite
def mutated(draw) -> bytes:
    """Draw a real file with some bytes flipped, overwritten, inserted or deleted, or with a piece of another file."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(['flip', 'number', 'insert', 'delete', 'truncate', 'splice']))
        if kind == 'flip' and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == 'number':
            number = draw(st.sampled_from([0, 1, 2, 3, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1]))
            size = draw(st.sampled_from([4, 8]))
            content[place : place + size] = (number % 256**size).to_bytes(size, 'little')
        elif kind == 'insert':
            content[place:place] = draw(st.binary(min_size=1, max_size=16))
        elif kind == 'delete':
            del content[place : place + draw(st.integers(1, 16))]
        elif kind == 'truncate':
            del content[place:]
        elif kind == 'splice':
            other = draw(st.sampled_from(SEEDS))
            start = draw(st.integers(0, len(other)))
            content[place:] = other[start:]
    return bytes(content)


CALM = dict(deadline=None, database=None, suppress_health_check=list(HealthCheck))  # no deadline, for slow machines


def survives(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found, peak = peak_of_reading(path)
    assert isinstance(found, (dict, ParamsError))
    assert peak <= 2 * len(content) + 2**18
    if isinstance(found, dict):
        assert sum(array.nbytes for array in found.values()) <= 2 * len(content) + 2**16


def test_mutated_files(tmp_path):
    check = settings(max_examples=300, derandomize=True, **CALM)(
        given(mutated())(lambda content: survives(tmp_path / 'mutated.params', content))
    )
    check()


@pytest.mark.slow
def test_ten_thousand_mutated_files(tmp_path):
    check = settings(max_examples=12000, print_blob=True, **CALM)(
        given(mutated())(lambda content: survives(tmp_path / 'mutated.params', content))
    )
    check()

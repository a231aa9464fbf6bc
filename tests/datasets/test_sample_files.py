"""Files of decoded samples: exact values, limited size, damaged files, read-only disks."""

import errno
import os
import pickle
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

from mmuda.datasets import sample_files
from mmuda.datasets.sample_files import LEFT_FREE, SampleFiles

KEY = '0123456789abcdef'


def sample(seed: int = 0) -> dict:
    random = np.random.default_rng(seed)
    return dict(
        img=random.integers(0, 256, (12, 20, 3), np.uint8),
        bands=np.asfortranarray(random.normal(size=(5, 7, 4)).astype(np.float32)),
        gt_seg_map=random.integers(0, 19, (12, 20), np.uint8)[:, ::2],
        scale=(20, 12),
        scale_factor=(20 / 1914, 1 / 3),
        seg_fields=['gt_seg_map', 'a "quoted"\nname'],
        keep_ratio=False,
        flip_direction=None,
    )


def check(found: dict | None, wanted: dict) -> None:
    assert found is not None and found.keys() == wanted.keys()
    for name, value in wanted.items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype and found[name].flags.writeable
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value and type(found[name]) is type(value)


@pytest.fixture
def told(monkeypatch) -> list[str]:
    lines: list[str] = []
    sample_files.log_once.cache_clear()
    monkeypatch.setattr(sample_files, 'print_log', lambda text, *_: lines.append(text))
    return lines


def test_values_come_back_as_they_are(cache_dir, told):
    files = SampleFiles(1e9)
    assert files.read(KEY) is None and files.used() == 0
    files.write(KEY, sample())
    for reader in (files, SampleFiles(1e9), pickle.loads(pickle.dumps(files))):
        check(reader.read(KEY), sample())
        reader.read(KEY)['img'][:] = 0  # must change only the array of this reader
        check(reader.read(KEY), sample())
    assert [path.name for path in cache_dir.rglob('*') if path.is_file()] == [KEY], 'no temporary file must be left'
    assert files.used() == (cache_dir / 'samples' / KEY).stat().st_size and told == []


@pytest.mark.parametrize('place', ['start', 'checksum', 'array', 'cut', 'cut in the array', 'empty'])
def test_a_damaged_file_is_missing_and_written_again(cache_dir, told, place):
    SampleFiles(1e9).write(KEY, sample())
    path = cache_dir / 'samples' / KEY
    content = bytearray(path.read_bytes())
    line = content.index(b'\n')
    if place in ('start', 'checksum', 'array'):
        content[dict(start=3, checksum=line - 1, array=line + 90)[place]] ^= 1
    else:
        del content[{'cut': line - 5, 'cut in the array': -7, 'empty': 0}[place] :]
    path.write_bytes(content)
    files = SampleFiles(1e9)
    assert files.read(KEY) is None
    assert len(told) == 1 and str(path) in told[0] and 'decoded again' in told[0]
    files.write(KEY, sample())
    check(files.read(KEY), sample())


def test_what_is_no_plain_value_is_not_kept(told):
    files = SampleFiles(1e9)
    for value in (object(), float('nan'), np.float64(1), np.array([None])):
        files.write(KEY, dict(img=np.zeros(3), other=value))
        assert files.read(KEY) is None and files.problem is None
    assert len(told) == 1 and 'not cached' in told[0]


def test_the_bound_holds_and_is_told_once(cache_dir, told):
    size = 1100 + 400
    files = SampleFiles(10 * size)
    for number in range(30):
        files.write(f'{number:032x}', sample(number))
    kept = list((cache_dir / 'samples').iterdir())
    assert 5 <= len(kept) <= 10 and files.used() == sum(path.stat().st_size for path in kept) <= 10 * size
    assert len(told) == 1 and 'is full (cache_bytes=15000' in told[0] and 'MMUDA_CACHE_DIR' in told[0]
    assert files.problem == told[0]
    check(files.read(f'{0:032x}'), sample(0))
    other = SampleFiles(10 * size)
    other.write('f' * 32, sample())
    assert other.read('f' * 32) is None and len(told) == 1


def test_files_that_nobody_used_make_room(cache_dir, told):
    files, folder = SampleFiles(20e3), cache_dir / 'samples'
    for number in range(3):
        files.write(f'{number:032x}', sample(number))
    (folder / '.0.tmp').write_bytes(bytes(10000))  # left by a killed process
    for path in folder.iterdir():
        os.utime(path, (time.time() - 8 * 24 * 3600,) * 2)
    check(SampleFiles(1e9).read(f'{1:032x}'), sample(1))
    for number in range(10, 14):
        SampleFiles(20e3).write(f'{number:032x}', sample(number))
    assert sorted(path.name for path in folder.iterdir()) == [f'{number:032x}' for number in (1, 10, 11, 12, 13)]
    assert told == []


def test_room_is_left_for_checkpoints(cache_dir, told, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: SimpleNamespace(free=LEFT_FREE + 1000))
    files = SampleFiles(1e9)
    files.write(KEY, sample())
    assert files.read(KEY) is None and len(told) == 1 and 'of the disk stay free' in told[0]


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ESTALE])
def test_a_disk_that_takes_nothing_is_told_once(cache_dir, told, monkeypatch, number):
    def fail(source, target):
        raise OSError(number, os.strerror(number))

    files = SampleFiles(1e9)
    monkeypatch.setattr(os, 'replace', fail)
    files.write(KEY, sample())
    files.write(KEY, sample(1))
    assert len(told) == 1 and os.strerror(number) in told[0] and 'decoded each time' in told[0]
    assert list((cache_dir / 'samples').iterdir()) == [] and files.read(KEY) is None


def test_a_folder_that_cannot_be_made(tmp_path, told, monkeypatch):
    (tmp_path / 'file').write_text('no folder')
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(tmp_path / 'file'))
    files = SampleFiles(1e9)
    files.write(KEY, sample())
    assert files.read(KEY) is None and 'cannot be written' in told[-1]


def test_a_bound_is_positive():
    with pytest.raises(ValueError, match='cache_bytes must be a positive number of bytes, such as 100e9, but got 0'):
        SampleFiles(0)

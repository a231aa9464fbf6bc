"""Pairs that do not match are reported before training, or skipped."""

import json
import logging
import os
import re

import cv2
import layouts
import numpy as np
import pytest
from layouts import H, W, ids, image, write
from PIL import Image

import mmuda.datasets.readers.checked_dataset as checked_dataset
import mmuda.datasets.readers.file_check as pair_check
from mmuda.datasets.label_tables import get_label_table, lookup_array
from mmuda.datasets.readers.file_check import find_problems
from mmuda.datasets.readers.gta5 import GTA5Dataset


@pytest.fixture
def broken(tmp_path):
    """Write six pairs, three of them unusable."""
    layouts.gta5(tmp_path, 6)
    layouts.write_palette(tmp_path / 'labels' / '00002.png', ids(range(35), 0, H, W + 2))
    (tmp_path / 'labels' / '00004.png').unlink()
    (tmp_path / 'images' / '00005.png').write_text('no image')
    return tmp_path


def test_one_error_lists_them_all(broken):
    with pytest.raises(ValueError) as raised:
        GTA5Dataset(data_root=str(broken))
    text = str(raised.value)
    assert 'GTA5Dataset: 3 of 6 image-label pairs cannot be used' in text
    for told in (
        'sizes differ: 1',
        'file missing: 1',
        'file unreadable: 1',
        "mismatched='skip'",
        f'{broken}/images/00002.png is {W}x{H}, {broken}/labels/00002.png is {W + 2}x{H}',
        f'{broken}/labels/00004.png missing',
        f'{broken}/images/00005.png is empty, damaged or not an image',
    ):
        assert told in text
    assert '00001' not in text and '00003' not in text and '00006' not in text


def test_skip_says_how_many(broken, monkeypatch):
    told = []
    monkeypatch.setattr(
        checked_dataset, 'print_log', lambda text, logger=None, level=logging.INFO: told.append((level, text))
    )
    dataset = GTA5Dataset(data_root=str(broken), mismatched='skip')
    names = [dataset.get_data_info(n)['img_path'][-9:-4] for n in range(len(dataset))]
    assert names == ['00001', '00003', '00006']
    ((level, text),) = told
    assert level == logging.WARNING and '3 of 6' in text and 'labels/00004.png' in text


@pytest.fixture
def translated(tmp_path):
    """Write images, and labels of another size."""
    layouts.gta5(tmp_path, 2)
    for n in (1, 2):
        layouts.write_palette(tmp_path / 'labels' / f'{n:05d}.png', ids(range(35), n, 2 * H, 3 * W))
    return tmp_path


STEPS = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations'), dict(type='PackSegInputs')]
RESIZE = dict(type='Resize', scale=(W, H), keep_ratio=False)


def test_translated_images_may_have_another_size(translated):
    dataset = GTA5Dataset(data_root=str(translated), same_size=False, pipeline=[*STEPS[:2], RESIZE, STEPS[2]])
    assert len(dataset) == 2
    sample, label = dataset[0], np.asarray(Image.open(translated / 'labels/00001.png'))
    assert sample['inputs'].shape[1:] == sample['data_samples'].gt_sem_seg.shape == (H, W)
    # The label must be resized once, from the file to the final size. Two steps would sample it twice.
    nearest = cv2.resize(label, (W, H), interpolation=cv2.INTER_NEAREST)
    train_ids = lookup_array(get_label_table('gta5'), unknown=255)[nearest]
    np.testing.assert_array_equal(sample['data_samples'].gt_sem_seg.data[0].numpy(), train_ids)


def test_sizes_that_stay_different_are_an_error(translated):
    dataset = GTA5Dataset(data_root=str(translated), same_size=False, pipeline=STEPS)
    with pytest.raises(ValueError, match=rf'00001.png has the size \({H}, {W}\) .* needs a Resize'):
        dataset[0]
    with pytest.raises(ValueError, match='No pair is left.*or set same_size=False'):
        GTA5Dataset(data_root=str(translated), mismatched='skip')
    with pytest.raises(ValueError, match='same_size=False is for training'):
        GTA5Dataset(data_root=str(translated), same_size=False, test_mode=True)
    (translated / 'labels/00001.png').unlink()
    with pytest.raises(ValueError, match='file missing: 1'):
        GTA5Dataset(data_root=str(translated), same_size=False)


def test_check_can_be_left_out(broken):
    assert len(GTA5Dataset(data_root=str(broken), check_sizes=False)) == 6


def test_long_lists_are_cut(tmp_path):
    layouts.gta5(tmp_path, 25)
    for n in range(1, 24):
        (tmp_path / 'labels' / f'{n:05d}.png').unlink()
    with pytest.raises(ValueError, match='23 of 25') as raised:
        GTA5Dataset(data_root=str(tmp_path))
    assert len(re.findall('missing$', str(raised.value), re.MULTILINE)) == 20 and '... and 3 more' in str(raised.value)


def test_no_pair_left(tmp_path):
    layouts.gta5(tmp_path, 1)
    write(tmp_path / 'images' / '00001.png', image(0, H, W + 1))
    with pytest.raises(ValueError, match='No pair is left'):
        GTA5Dataset(data_root=str(tmp_path), mismatched='skip')


def counted(monkeypatch):
    calls = []
    size = pair_check.image_size
    monkeypatch.setattr(pair_check, 'image_size', lambda path, *more: (calls.append(path), size(path, *more))[1])
    return calls


def test_result_is_kept_until_a_file_changes(tmp_path, cache_dir, monkeypatch):
    layouts.gta5(tmp_path)
    layouts.write_palette(tmp_path / 'labels' / '00002.png', ids(range(35), 0, H, W + 2))
    calls = counted(monkeypatch)
    assert len(GTA5Dataset(data_root=str(tmp_path), mismatched='skip')) == 2
    assert len(calls) == 6
    assert len(GTA5Dataset(data_root=str(tmp_path), mismatched='skip')) == 2
    assert len(calls) == 6
    assert [path.suffix for path in cache_dir.rglob('*') if path.is_file()] == ['.json']
    layouts.write_palette(tmp_path / 'labels' / '00002.png', ids(range(35), 2))
    assert len(GTA5Dataset(data_root=str(tmp_path))) == 3
    assert len(calls) == 12


def test_same_size_in_bytes_but_newer_is_a_change(tmp_path, monkeypatch):
    layouts.gta5(tmp_path)
    calls = counted(monkeypatch)
    GTA5Dataset(data_root=str(tmp_path))
    os.utime(tmp_path / 'labels' / '00001.png', ns=(1, 1))
    GTA5Dataset(data_root=str(tmp_path))
    assert len(calls) == 12


@pytest.mark.parametrize(
    'text', ['', '{', '[]', '{"content": [[1]]}', '{"content": 3, "fingerprint": "a", "checksum": "b"}']
)
def test_damaged_cache_is_not_trusted(tmp_path, cache_dir, monkeypatch, text):
    layouts.gta5(tmp_path)
    GTA5Dataset(data_root=str(tmp_path))
    (kept,) = cache_dir.rglob('*.json')
    kept.write_text(text)
    calls = counted(monkeypatch)
    assert len(GTA5Dataset(data_root=str(tmp_path))) == 3
    assert len(calls) == 6 and json.loads(kept.read_text())['content'] == []


def test_unreadable_is_not_kept(broken, cache_dir):
    """Unreadable files are not cached, since a network disk can return the same file next time."""
    GTA5Dataset(data_root=str(broken), mismatched='skip')
    assert list(cache_dir.rglob('*.json')) == []


def test_cache_folder_that_cannot_be_written(tmp_path, monkeypatch):
    layouts.gta5(tmp_path / 'data')
    (tmp_path / 'file').write_text('not a folder')
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(tmp_path / 'file'))
    assert len(GTA5Dataset(data_root=str(tmp_path / 'data'))) == 3


def test_many_pairs_show_progress(tmp_path, monkeypatch, capsys):
    layouts.gta5(tmp_path, 2)
    pair = (str(tmp_path / 'images' / '00001.png'), str(tmp_path / 'labels' / '00001.png'))
    wrong = (pair[0], str(write(tmp_path / 'wrong.png', ids([7], 0, H + 1, W))))
    pairs = [pair] * 2999 + [wrong] + [pair] * 700
    problems = find_problems(pairs)
    assert list(problems) == [2999] and problems[2999].kind == 'sizes differ'
    assert '3700/3700' in capsys.readouterr().err
    find_problems(pairs)
    assert '3700' not in capsys.readouterr().err

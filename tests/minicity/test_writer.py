"""MiniCity on disk: the same bytes each time, in the right layout, continued after a kill."""

import json
import os
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from mmuda.datasets.classes import CITYSCAPES_CLASSES, CITYSCAPES_PALETTE
from mmuda.minicity import render, write_minicity
from mmuda.minicity.classes import RAW_IDS

SMALL = dict(num_source=3, num_target=4, num_val=2, size=(64, 32))


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module')
def town(tmp_path_factory):
    return write_minicity(tmp_path_factory.mktemp('town') / 'minicity', **SMALL)


def test_layout_is_that_of_gta5_and_cityscapes(town):
    files = contents(town)
    sources = [f'{number:05d}.png' for number in (1, 2, 3)]
    expected = {'minicity.json'}
    expected |= {f'source/{part}/{name}' for part in ('images', 'labels') for name in sources}
    for number, name in ((1, 'altdorf'), (2, 'neustadt'), (3, 'altdorf'), (4, 'neustadt')):
        expected.add(f'target/leftImg8bit/train/{name}/{name}_000000_{number:06d}_leftImg8bit.png')
    for number in (1, 2):
        stem = f'val/seeheim/seeheim_000000_{number:06d}'
        expected |= {f'target/leftImg8bit/{stem}_leftImg8bit.png', f'target/gtFine/{stem}_gtFine_labelIds.png'}
    assert set(files) == expected


def test_files_hold_what_render_returns(town):
    image, ids = render('source', 0, 'train', 1, (64, 32))
    with Image.open(town / 'source/images/00002.png') as file:
        assert file.mode == 'RGB' and file.size == (64, 32)
        np.testing.assert_array_equal(np.asarray(file), image)
    with Image.open(town / 'source/labels/00002.png') as file:
        assert file.mode == 'P'
        np.testing.assert_array_equal(np.asarray(file), ids)
        colours = np.asarray(file.convert('RGB'))
    for name, colour in zip(CITYSCAPES_CLASSES, CITYSCAPES_PALETTE, strict=True):
        assert (colours[ids == RAW_IDS[name]] == colour).all(), name
    image, ids = render('target', 0, 'val', 0, (64, 32))
    stem = 'val/seeheim/seeheim_000000_000001'
    with Image.open(town / f'target/leftImg8bit/{stem}_leftImg8bit.png') as file:
        np.testing.assert_array_equal(np.asarray(file), image)
    with Image.open(town / f'target/gtFine/{stem}_gtFine_labelIds.png') as file:
        assert file.mode == 'L'
        np.testing.assert_array_equal(np.asarray(file), ids)


@pytest.mark.parametrize(
    'dataset, domain, split, count',
    [
        (dict(type='GTA5Dataset', data_root='source'), 'source', 'train', SMALL['num_source']),
        (
            dict(
                type='CityscapesDataset',
                data_root='target',
                seg_map_suffix='_gtFine_labelIds.png',
                data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
            ),
            'target',
            'val',
            SMALL['num_val'],
        ),
    ],
)
def test_is_read_by_the_data_sets_of_the_real_ones(town, dataset, domain, split, count):
    init_default_scope('mmseg')
    table = 'gta5' if domain == 'source' else 'cityscapes'
    pipeline = [dict(type='LoadDomainImage'), dict(type='LoadDomainAnnotations', table=table)]
    data = DATASETS.build({**dataset, 'data_root': str(town / dataset['data_root']), 'pipeline': pipeline})
    assert len(data) == count
    sample = data[1]
    image, ids = render(domain, 0, split, 1, (64, 32))
    np.testing.assert_array_equal(sample['img'], image[..., ::-1])
    train_ids = np.full(ids.shape, 255)
    for train_id, name in enumerate(CITYSCAPES_CLASSES):
        train_ids[ids == RAW_IDS[name]] = train_id
    np.testing.assert_array_equal(sample['gt_seg_map'], train_ids)


def test_oracle_labels_are_an_option(tmp_path):
    write_minicity(tmp_path, **SMALL, oracle_labels=True)
    labels = sorted((tmp_path / 'target/gtFine/train').rglob('*_gtFine_labelIds.png'))
    assert len(labels) == SMALL['num_target']
    with Image.open(labels[0]) as file:
        np.testing.assert_array_equal(np.asarray(file), render('target', 0, 'train', 0, (64, 32))[1])


def test_oracle_labels_may_come_later_and_stay(tmp_path):
    write_minicity(tmp_path / 'at_once', **SMALL, oracle_labels=True)
    expected = contents(tmp_path / 'at_once')
    town = write_minicity(tmp_path / 'later', **SMALL)
    before = {path: path.stat().st_mtime_ns for path in town.rglob('*.png')}
    for oracle_labels in (True, False):  # first for the oracle, then for the demo
        write_minicity(town, **SMALL, oracle_labels=oracle_labels)
        assert contents(town) == expected
    assert {path: path.stat().st_mtime_ns for path in before} == before, 'existing images must not be written again'
    with pytest.raises(FileExistsError, match='another MiniCity .seed: found 0, wanted 1.'):
        write_minicity(town, **{**SMALL, 'seed': 1, 'oracle_labels': True})


@pytest.mark.parametrize('workers', [1, 3])
def test_workers_do_not_change_the_result(town, tmp_path, workers):
    write_minicity(tmp_path, **SMALL, workers=workers)
    assert contents(tmp_path) == contents(town)


def test_second_call_writes_nothing(town):
    before = {path: path.stat().st_mtime_ns for path in town.rglob('*')}
    assert write_minicity(town, **SMALL) == town
    assert {path: path.stat().st_mtime_ns for path in town.rglob('*')} == before


def test_goes_on_where_it_was_killed(town, tmp_path, monkeypatch):
    expected = contents(town)
    replace, calls = os.replace, []

    def killed(source, destination):
        calls.append(destination)
        if len(calls) == 6:
            raise KeyboardInterrupt
        replace(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', killed)
        with pytest.raises(KeyboardInterrupt):
            write_minicity(tmp_path, **SMALL)
    assert not list(tmp_path.rglob('.*.tmp')), 'an interrupted writer must delete its temporary file'
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / 'source/images').glob('0000[12].png')}
    assert len(kept) == 2
    write_minicity(tmp_path, **SMALL)
    assert contents(tmp_path) == expected
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


WRITE = """
import os, signal, sys
from mmuda.minicity import write_minicity

replace = os.replace

def killed(source, destination):
    if destination.name == '00002.png':
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, destination)

os.replace = killed
write_minicity(sys.argv[1], num_source=3, num_target=4, num_val=2, size=(64, 32))
"""


def test_goes_on_after_kill_9(town, tmp_path):
    """Writing continues after SIGKILL, which leaves only a temporary file that is no image of the data set."""
    killed = subprocess.run([sys.executable, '-c', WRITE, str(tmp_path)], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (draft,) = tmp_path.rglob('.*.tmp')
    assert draft.name.startswith('.00002.png.')
    write_minicity(tmp_path, **SMALL)
    draft.unlink()
    assert contents(tmp_path) == contents(town)


def test_replaces_deleted_and_truncated_files(tmp_path):
    write_minicity(tmp_path, **SMALL)
    expected = contents(tmp_path)
    victims = sorted(tmp_path.rglob('*.png'))[::4]
    victims[0].unlink()
    victims[1].write_bytes(b'')
    victims[2].write_bytes(victims[2].read_bytes()[:-20])
    write_minicity(tmp_path, **SMALL)
    assert contents(tmp_path) == expected


@pytest.mark.parametrize('change', [dict(seed=1), dict(num_val=3), dict(size=(64, 48)), dict(version=1)])
def test_refuses_another_minicity(town, change):
    key = next(iter(change))
    with pytest.raises(FileExistsError, match=f'minicity.json.*{key}.*--overwrite'):
        write_minicity(town, **{**SMALL, **change})


def test_overwrite_leaves_only_the_new_one(town, tmp_path):
    write_minicity(tmp_path, num_source=5, num_target=2, num_val=1, size=(48, 32), seed=4)
    (tmp_path / 'notes.txt').write_text('mine')
    write_minicity(tmp_path, **SMALL, overwrite=True)
    assert (tmp_path / 'notes.txt').read_text() == 'mine'
    (tmp_path / 'notes.txt').unlink()
    assert contents(tmp_path) == contents(town)


def test_never_deletes_what_is_not_its_own(tmp_path):
    (tmp_path / 'source').mkdir()
    with pytest.raises(FileExistsError, match='not a MiniCity. Choose another root'):
        write_minicity(tmp_path, **SMALL, overwrite=True)


@pytest.mark.parametrize('text', ['{', '[]', json.dumps(dict(generator='GTA5'))])
def test_refuses_a_strange_manifest(tmp_path, text):
    (tmp_path / 'minicity.json').write_text(text)
    with pytest.raises(FileExistsError, match='not a manifest of MiniCity'):
        write_minicity(tmp_path, **SMALL, overwrite=True)


@pytest.mark.parametrize(
    'change',
    [dict(num_source=0), dict(num_val=-1), dict(size=(64, 16)), dict(seed=-1), dict(workers=-1), dict(version=3)],
)
def test_refuses_bad_arguments(tmp_path, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        partial(write_minicity, tmp_path / 'x')(**{**SMALL, **change})
    assert not (tmp_path / 'x').exists()


def test_a_manifest_without_a_version_is_of_version_1(tmp_path):
    write_minicity(tmp_path, **SMALL, version=1)
    manifest = tmp_path / 'minicity.json'
    settings = json.loads(manifest.read_text())
    del settings['version']
    manifest.write_text(json.dumps(settings))
    write_minicity(tmp_path, **SMALL, version=1)
    with pytest.raises(FileExistsError, match='version: found 1, wanted 2'):
        write_minicity(tmp_path, **SMALL, version=2)

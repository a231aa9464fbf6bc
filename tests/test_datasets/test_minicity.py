"""MiniCity: the same bytes every time, in the right layout, with a gap between the two towns."""

import json
import os
from functools import partial

import numpy as np
import pytest
from mmseg.datasets import CityscapesDataset
from PIL import Image

from mmuda.datasets.minicity import render, write_minicity
from mmuda.datasets.minicity.classes import RAW_IDS, VOID_NAMES

TRAIN_CLASSES = [name for name in RAW_IDS if name not in VOID_NAMES]
SMALL = dict(num_source=3, num_target=4, num_val=2, size=(64, 32))


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module')
def town(tmp_path_factory):
    return write_minicity(tmp_path_factory.mktemp('town') / 'minicity', **SMALL)


@pytest.fixture(scope='module')
def frequencies():
    """Share of pixels and share of images by class, of 60 images per domain."""
    result = {}
    for domain, split in (('source', 'train'), ('target', 'val')):
        counts = np.stack([np.bincount(render(domain, 0, split, index)[1].ravel(), minlength=256)
                           for index in range(60)])
        result[domain] = (counts.sum(0) / counts.sum(), (counts > 0).mean(0))
    return result


@pytest.mark.parametrize('domain', ['source', 'target'])
def test_render_depends_on_its_arguments_only(domain):
    image, ids = render(domain, 3, 'train', 5, (96, 64))
    assert image.shape == (64, 96, 3) and image.dtype == np.uint8
    assert ids.shape == (64, 96) and ids.dtype == np.uint8
    np.random.seed(7)
    render(domain, 3, 'train', 4, (96, 64))
    again = render(domain, 3, 'train', 5, (96, 64))
    np.testing.assert_array_equal(image, again[0])
    np.testing.assert_array_equal(ids, again[1])
    for other in ((domain, 4, 'train', 5), (domain, 3, 'val', 5), (domain, 3, 'train', 6)):
        assert (render(*other, (96, 64))[1] != ids).mean() > 0.02


def test_towns_share_no_street():
    assert (render('source', 0, 'train', 0)[1] != render('target', 0, 'train', 0)[1]).mean() > 0.02


@pytest.mark.parametrize('arguments, message', [
    (('sauce', 0, 'train', 0), "domain 'sauce'"),
    (('source', 0, 'test', 0), "split 'test'"),
    (('source', -1, 'train', 0), 'negative'),
    (('source', 0, 'train', -1), 'negative'),
    (('source', 0, 'train', 0, (16, 64)), 'at least 32'),
])
def test_render_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        render(*arguments)


def test_all_classes_occur_as_unequally_as_in_a_street(frequencies):
    for domain, (share, images) in frequencies.items():
        present = [name for name in TRAIN_CLASSES if share[RAW_IDS[name]] > 5e-4]
        assert len(present) >= 14, (domain, present)
        assert set(np.flatnonzero(share)) <= set(RAW_IDS.values())
        largest = sum(share[RAW_IDS[name]] for name in ('road', 'building', 'sky', 'vegetation'))
        assert 0.6 < largest < 0.9
        for name in ('traffic light', 'traffic sign', 'rider', 'motorcycle', 'bicycle'):
            assert share[RAW_IDS[name]] < 0.02
        assert sum(share[RAW_IDS[name]] for name in VOID_NAMES) > 0
        assert images[RAW_IDS['road']] == 1.0 and images[RAW_IDS['bus']] < 0.6


def test_towns_differ_in_style_and_in_the_looks_of_classes():
    means, grain = {}, {}
    for domain in ('source', 'target'):
        rendered = [render(domain, 0, 'train', index) for index in range(20)]
        images = np.stack([image for image, _ in rendered]).astype(np.float32)
        ids = np.stack([labels for _, labels in rendered])
        means[domain] = {name: images[ids == RAW_IDS[name]].mean(0)
                         for name in ('road', 'building', 'vegetation', 'sky')}
        means[domain]['all'] = images.mean((0, 1, 2))
        road = (ids[:, :, 1:] == RAW_IDS['road']) & (ids[:, :, :-1] == RAW_IDS['road'])
        steps = np.abs(np.diff(images.mean(-1), axis=2))
        grain[domain] = np.median(steps[road])
    assert np.abs(means['source']['all'] - means['target']['all']).max() > 15
    # An affine change of colour, the same for all, would keep these differences up to a factor.
    def hue(domain, name):
        colour = means[domain][name] - means[domain]['all']
        return colour / np.linalg.norm(colour)

    turned = [float(hue('source', name) @ hue('target', name)) for name in ('vegetation', 'sky')]
    assert min(turned) < 0.9
    assert grain['target'] > grain['source'] + 1


def test_layout_is_that_of_gta5_and_cityscapes(town):
    files = contents(town)
    sources = [f'{number:05d}.png' for number in (1, 2, 3)]
    expected = {'minicity.json'}
    expected |= {f'source/{part}/{name}' for part in ('images', 'labels') for name in sources}
    for number, name in ((1, 'altdorf'), (2, 'neustadt'), (3, 'altdorf'), (4, 'neustadt')):
        expected.add(f'target/leftImg8bit/train/{name}/{name}_000000_{number:06d}_leftImg8bit.png')
    for number in (1, 2):
        stem = f'val/seeheim/seeheim_000000_{number:06d}'
        expected |= {f'target/leftImg8bit/{stem}_leftImg8bit.png',
                     f'target/gtFine/{stem}_gtFine_labelIds.png'}
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
    palette = dict(zip(CityscapesDataset.METAINFO['classes'], CityscapesDataset.METAINFO['palette']))
    assert colours[ids == RAW_IDS['road']].tolist()[0] == palette['road']
    image, ids = render('target', 0, 'val', 0, (64, 32))
    stem = 'val/seeheim/seeheim_000000_000001'
    with Image.open(town / f'target/leftImg8bit/{stem}_leftImg8bit.png') as file:
        np.testing.assert_array_equal(np.asarray(file), image)
    with Image.open(town / f'target/gtFine/{stem}_gtFine_labelIds.png') as file:
        assert file.mode == 'L'
        np.testing.assert_array_equal(np.asarray(file), ids)


def test_oracle_labels_are_an_option(tmp_path):
    write_minicity(tmp_path, **SMALL, oracle_labels=True)
    labels = sorted((tmp_path / 'target/gtFine/train').rglob('*_gtFine_labelIds.png'))
    assert len(labels) == SMALL['num_target']
    with Image.open(labels[0]) as file:
        np.testing.assert_array_equal(
            np.asarray(file), render('target', 0, 'train', 0, (64, 32))[1])


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
    assert list(tmp_path.rglob('.*.tmp'))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / 'source/images').glob('0000[12].png')}
    assert len(kept) == 2
    write_minicity(tmp_path, **SMALL)
    assert contents(tmp_path) == expected
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_replaces_deleted_and_truncated_files(tmp_path):
    write_minicity(tmp_path, **SMALL)
    expected = contents(tmp_path)
    victims = sorted(tmp_path.rglob('*.png'))[::4]
    victims[0].unlink()
    victims[1].write_bytes(b'')
    victims[2].write_bytes(victims[2].read_bytes()[:-20])
    write_minicity(tmp_path, **SMALL)
    assert contents(tmp_path) == expected


@pytest.mark.parametrize('change', [
    dict(seed=1), dict(num_val=3), dict(size=(64, 48)), dict(oracle_labels=True)])
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


@pytest.mark.parametrize('change', [
    dict(num_source=0), dict(num_val=-1), dict(size=(64, 16)), dict(seed=-1), dict(workers=-1)])
def test_refuses_bad_arguments(tmp_path, change):
    with pytest.raises(ValueError, match=next(iter(change))):
        partial(write_minicity, tmp_path / 'x')(**{**SMALL, **change})
    assert not (tmp_path / 'x').exists()

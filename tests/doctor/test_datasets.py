"""Examination of the data sets of a config."""

import re
import shutil

import cv2
import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS
from toolbox import CONFIGS

from mmuda.doctor.costs import cache_size, label_size
from mmuda.doctor.datasets import examine_datasets, examined_places, short_place
from mmuda.doctor.pairs import kept_images
from mmuda.doctor.rows import ERROR, OK, SKIPPED, WARNING
from mmuda.engine.launch import load_config

TRAIN = 'train_dataloader.dataset'


@pytest.fixture
def root(minicity, tmp_path, monkeypatch):
    """Return a copy of the tiny MiniCity that a test can damage."""
    monkeypatch.setenv('MINICITY_ROOT', str(tmp_path / 'data'))
    return shutil.copytree(minicity, tmp_path / 'data')


def load(method='advent', **options):
    return load_config(CONFIGS / method / 'minicity.py', options)


def rows(result) -> dict:
    return {row.item: row for row in result.section.rows}


def test_a_whole_data_set(root):
    result = examine_datasets(load(), None)
    found = rows(result)
    assert {row.verdict for row in found.values()} <= {OK, WARNING}
    assert result.lengths == {
        f'{TRAIN}.source': 7,
        f'{TRAIN}.target': 5,
        'val_dataloader.dataset': 5,
        'test_dataloader.dataset': 5,
    }
    assert re.fullmatch('GTA5Dataset, .*/images: 7 images, all labelled', found['train.source'].found)
    assert re.fullmatch('CityscapesDataset, .*/train: 5 images, without labels', found['train.target'].found)
    assert found['train.source: sizes'].found == '64x48' and result.pixels == 64 * 48
    assert found['val: files'].found == 'all 5 decoded'
    table = next(iter(result.section.tables.values()))
    assert table[0] == ['class', 'train.source', 'val'] and len(table) == 20
    assert 0 < label_size(result.readings) < 1
    assert 7 * 19 < cache_size(result) < 7 * 19 * 12


def test_a_sample_says_that_it_is_one(root):
    found = rows(examine_datasets(load(), 2))
    assert found['train.source: files'].found == '2 images of 7 decoded'
    assert found['train.source: classes'].verdict == OK


def test_the_fast_look_reads_no_file(root):
    for path in (root / 'source/images').iterdir():
        path.write_bytes(b'')
    result = examine_datasets(load(), None, fast=True)
    assert {row.verdict for row in result.section.rows} == {OK, SKIPPED} and not result.readings


def test_a_missing_root_is_one_error(root):
    shutil.rmtree(root)
    result = examine_datasets(load(), None)
    assert [row.verdict for row in result.section.rows] == [ERROR, SKIPPED, SKIPPED]
    row, other = result.section.rows[:2]
    assert other.found == f'{root}/target is missing, too: there is no {root}'
    assert row.item == 'train.source' and str(root) in row.found and 'ln -s' in row.remedy
    assert f'{TRAIN}.target' in result.broken and not result.lengths


def test_test_images_are_not_needed(root):
    result = examine_datasets(load(**{'test_dataloader.dataset.data_prefix.img_path': 'leftImg8bit/test'}), None)
    assert rows(result)['test'].verdict == WARNING


def test_damage_and_unknown_values_are_found(root):
    source = root / 'source'
    (source / 'images/00001.png').write_bytes((source / 'images/00001.png').read_bytes()[:-9])
    cv2.imwrite(str(source / 'labels/00002.png'), np.full((48, 64), 200, np.uint8))
    cv2.imwrite(str(source / 'labels/00003.png'), np.full((24, 32), 7, np.uint8))
    (source / 'labels/00004.png').unlink()
    found = rows(examine_datasets(load(), None))
    damaged, values, pairs = (found[f'train.source: {key}'] for key in ('files', 'label values', 'pairs'))
    assert (damaged.verdict, values.verdict, pairs.verdict) == (ERROR, ERROR, ERROR)
    assert '00001.png cannot be decoded' in damaged.found and 'the label ids 200' in values.found
    assert pairs.found.startswith('2 of 7 (') and 'sizes differ: 1' in pairs.found and 'file missing: 1' in pairs.found
    cfg = load()
    cfg.train_dataloader.dataset.source.mismatched = 'skip'
    assert rows(examine_datasets(cfg, None))['train.source: pairs'].verdict == WARNING


def test_classes_that_the_source_never_shows(root):
    for path in (root / 'source/labels').iterdir():
        cv2.imwrite(str(path), np.full((48, 64), 7, np.uint8))
    row = rows(examine_datasets(load(), None))['train.source: classes']
    assert row.verdict == WARNING and 'sidewalk, building' in row.found and 'road' not in row.found
    row = rows(examine_datasets(load(), 3))['train.source: classes']
    assert row.verdict == OK and row.found.startswith('not in the sample')


def test_stages_share_data_sets(root):
    result = examine_datasets(load('intrada'), None)
    found = rows(result)
    assert found['intra: train.target'].verdict == SKIPPED and 'intra: val' not in found
    assert result.lengths["stage 'intra': val_dataloader.dataset"] == 5
    places = list(examined_places(load('intrada')))
    assert "stage 'inter': train_dataloader.dataset.source" in places
    assert "stage 'intra': train_dataloader.dataset.target" not in places
    assert short_place("stage 'intra': train_dataloader.dataset.target") == 'intra: train.target'


def test_data_sets_with_other_roots_are_others(root):
    options = {'test_dataloader.dataset.data_root': str(root / 'elsewhere')}
    result = examine_datasets(load(**options), None, fast=True)
    assert 'test_dataloader.dataset' in result.broken and 'val_dataloader.dataset' in result.lengths
    shutil.copytree(root / 'target', root / 'elsewhere')
    cv2.imwrite(str(next((root / 'elsewhere').rglob('val/**/*_labelIds.png'))), np.full((48, 64), 200, np.uint8))
    found = rows(examine_datasets(load(**options), None))
    assert found['val: label values'].verdict == OK
    assert found['test: label values'].verdict == WARNING and 'elsewhere' in found['test: label values'].found


def test_a_warning_about_test_images_hides_no_needed_data_set(root):
    cfg = load('intrada')
    cfg.test_dataloader.dataset.data_root = '/no/such/root'
    cfg.intra.overrides['val_dataloader'] = dict(dataset=dict(data_root='/no/such/root'))
    found = rows(examine_datasets(cfg, None, fast=True))
    assert found['intra: val'].verdict == ERROR and found['inter: val'].verdict == OK


def test_problems_of_test_images_are_warnings(root):
    cfg = load()
    cfg.test_dataloader.dataset.data_root = str(shutil.copytree(root / 'target', root / 'elsewhere'))
    image, *_ = sorted((root / 'elsewhere').rglob('val/**/*_leftImg8bit.png'))
    label, other, *_ = sorted((root / 'elsewhere').rglob('val/**/*_labelIds.png'))
    cv2.imwrite(str(other), np.full((48, 64), 200, np.uint8))
    image.write_bytes(image.read_bytes()[:-9])
    cv2.imwrite(str(label), np.full((24, 32), 7, np.uint8))
    found = rows(examine_datasets(cfg, None))
    assert {found[f'test: {key}'].verdict for key in ('pairs', 'files', 'label values')} == {WARNING}


def test_pairs_that_are_left_out_are_not_decoded(root):
    source = root / 'source'
    (source / 'images/00001.png').write_bytes(b'no image')
    (source / 'labels/00004.png').unlink()
    cfg = load()
    cfg.train_dataloader.dataset.source.mismatched = 'skip'
    result = examine_datasets(cfg, None)
    found = rows(result)
    assert (
        found['train.source'].found.endswith('/images: 5 images, all labelled')
        and result.lengths[f'{TRAIN}.source'] == 5
    )
    assert found['train.source: pairs'].verdict == WARNING and '2 of 7' in found['train.source: pairs'].found
    assert found['train.source: files'].found == 'all 5 decoded'
    cfg.train_dataloader.dataset.source['indices'] = [0, -1]  # indices into the remaining images
    assert len(kept_images(cfg.train_dataloader.dataset.source)) == 2
    assert examine_datasets(cfg, None).lengths[f'{TRAIN}.source'] == 2
    for path in (source / 'labels').iterdir():
        path.unlink()
    row = rows(examine_datasets(cfg, None))['train.source']
    assert row.verdict == ERROR and 'no pair is left' in row.found


@DATASETS.register_module()
class ArrayDataset(BaseDataset):
    """A data set whose images are not in files."""

    METAINFO = dict(classes=('road', 'car'))

    def load_data_list(self):
        return [dict(img=np.zeros((4, 4, 3), np.uint8))] * 3


def test_a_data_set_without_image_files(root):
    cfg = load()
    cfg.val_dataloader.dataset = dict(type='ArrayDataset', pipeline=[dict(type='LoadImageFromNDArray')])
    found = rows(examine_datasets(cfg, None))
    assert found['val'].found.startswith('ArrayDataset: 3 images')
    assert found['val: files'].verdict == SKIPPED and 'no image files' in found['val: files'].found


def test_files_behind_a_protocol_are_not_local(root):
    @DATASETS.register_module(force=True)
    class RemoteDataset(ArrayDataset):
        def load_data_list(self):
            return [dict(img_path='s3://bucket/one.png')]

    cfg = load()
    cfg.val_dataloader.dataset = dict(type='RemoteDataset', data_prefix=dict(img_path='s3://bucket'))
    assert 'not on a local disk' in rows(examine_datasets(cfg, None))['val: files'].found

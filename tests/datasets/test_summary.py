"""The summary line of each data set at the start of a run."""

import layouts
import numpy as np
import pytest
from layouts import image, write
from mmseg.registry import DATASETS

from mmuda.datasets.pairs import DomainPairDataset
from mmuda.datasets.readers import GTA5Dataset, SegmentationListDataset
from mmuda.datasets.summary import summaries, summary


def folders(root, *names):
    for name in names:
        write(root / name, np.zeros((4, 6), np.uint8))


def test_source_and_target(tmp_path):
    layouts.gta5(tmp_path / 'gta5')
    (tmp_path / 'gta5' / 'images' / 'notes.txt').write_text('')
    write(tmp_path / 'gta5' / 'images' / '00003.png', image(0, 5, 5))
    source = GTA5Dataset(data_root=str(tmp_path / 'gta5'), mismatched='skip')
    for n in range(2):
        write(tmp_path / 'own' / f'{n}.jpg', image(n))
    (tmp_path / 'own' / 'list.txt').write_text('0.jpg\n1.jpg\n')
    target = SegmentationListDataset(ann_file='list.txt', data_root=str(tmp_path / 'own'))
    root = str(tmp_path)
    assert list(summaries(DomainPairDataset(source, target))) == [
        f'source: GTA5Dataset, {root}/gta5/images: 2 images, all labelled; left out: 1 *.txt, 1 sizes differ',
        f'target: SegmentationListDataset, {root}/own/list.txt of {root}/own: 2 images, without labels',
    ]
    (tmp_path / 'own' / 'list.txt').write_text('0.jpg label.png\n1.jpg\n')
    part = SegmentationListDataset(ann_file='list.txt', data_root=str(tmp_path / 'own'), check_sizes=False)
    assert summary(part).endswith(': 2 images, 1 labelled')


@pytest.mark.parametrize('suffix', ['.png', None])
def test_labels_without_an_image_are_told(tmp_path, suffix):
    folders(tmp_path, 'images/a/1.png', 'labels/a/1.png', 'labels/a/2.png', 'labels/b/3.png')
    settings = dict(type='RawSegDataset', data_root=str(tmp_path), label_table='train_ids', seg_map_suffix=suffix)
    found = DATASETS.build(dict(settings, pipeline=[]))
    assert summary(found).endswith('/images: 1 image, all labelled; left out: 2 label(s) without an image')
    write(tmp_path / 'images/a/1_mask.png', np.zeros((4, 6), np.uint8))
    write(tmp_path / 'images/a/2_mask.png', np.zeros((4, 6), np.uint8))
    same = dict(img_path='images', seg_map_path='images')
    beside = dict(settings, data_prefix=same, img_suffix='1.png', seg_map_suffix='1_mask.png', pipeline=[])
    assert summary(DATASETS.build(beside)).endswith('/images: 1 image, all labelled; left out: 2 *.png')


def test_lists_leave_nothing_out(tmp_path):
    folders(tmp_path, 'images/1.png', 'images/2.png', 'labels/1.png')
    (tmp_path / 'list.txt').write_text('images/1.png labels/1.png\nimages/2.png\n')
    listed = DATASETS.build(
        dict(type='SegmentationListDataset', data_root=str(tmp_path), ann_file='list.txt', pipeline=[])
    )
    assert summary(listed) == f'SegmentationListDataset, {tmp_path}/list.txt of {tmp_path}: 2 images, 1 labelled'


def test_sides_and_parts_have_names(tmp_path):
    folders(tmp_path, 'images/1.png', 'labels/1.png')
    one = dict(type='RawSegDataset', data_root=str(tmp_path), label_table='train_ids', pipeline=[])
    both = dict(type='ConcatDataset', datasets=[one, one])
    pair = DATASETS.build(dict(type='DomainPairDataset', source=both, target=one))
    line = f'RawSegDataset, {tmp_path}/images: 1 image, all labelled'
    assert list(summaries(pair)) == [f'source: {line}', f'source: {line}', f'target: {line}']
    assert list(summaries(pair.target, 'val')) == [f'val: {line}'] and not list(summaries([1, 2]))

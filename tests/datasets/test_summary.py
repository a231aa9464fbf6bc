"""One line about a data set."""

import cv2
import numpy as np
from mmseg.registry import DATASETS

from mmuda.datasets.summary import describe, parts


def write(root, *names, size=(4, 6)):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.zeros(size, np.uint8))


def build(root, **options):
    return DATASETS.build(
        dict(type='RawSegDataset', data_root=str(root), label_table='train_ids', pipeline=[], **options)
    )


def test_folder_images_and_labels(tmp_path):
    write(tmp_path, 'images/1.png', 'labels/1.png')
    assert describe(build(tmp_path)) == f'RawSegDataset, 1 image with labels, {tmp_path}'
    unlabelled = build(tmp_path, data_prefix=dict(img_path='images'))
    assert describe(unlabelled) == f'RawSegDataset, 1 image without labels, {tmp_path}'


def test_what_is_left_out_and_why(tmp_path):
    write(tmp_path, *(f'{folder}/{n}.png' for folder in ('images', 'labels') for n in range(3)))
    write(tmp_path, 'labels/1.png', size=(5, 5))
    write(tmp_path, 'images/a/4.jpg', 'images/5.jpeg', 'images/6.jpg')
    (tmp_path / 'images' / 'notes.txt').write_text('x')
    line = describe(build(tmp_path, mismatched='skip'))
    assert line == (
        f'RawSegDataset, 2 images with labels, {tmp_path}; left out: 1 pairs (sizes differ), '
        '3 images with other names than *.png (.jpg 2, .jpeg 1)'
    )


def test_lists_leave_nothing_out(tmp_path):
    write(tmp_path, 'images/1.png', 'images/2.png', 'labels/1.png')
    (tmp_path / 'list.txt').write_text('images/1.png labels/1.png\nimages/2.png\n')
    listed = DATASETS.build(
        dict(type='SegmentationListDataset', data_root=str(tmp_path), ann_file='list.txt', pipeline=[])
    )
    assert describe(listed) == f'SegmentationListDataset, 2 images, 1 with labels, {tmp_path}'


def test_sides_and_parts_have_names(tmp_path):
    write(tmp_path, 'images/1.png', 'labels/1.png')
    one = dict(type='RawSegDataset', data_root=str(tmp_path), label_table='train_ids', pipeline=[])
    both = dict(type='ConcatDataset', datasets=[one, one])
    pair = DATASETS.build(dict(type='DomainPairDataset', source=both, target=one))
    assert [name for name, _ in parts(pair)] == ['source 0', 'source 1', 'target']
    assert [name for name, _ in parts(pair.target)] == ['data']
    assert describe([1, 2]) == 'list, 2 items'

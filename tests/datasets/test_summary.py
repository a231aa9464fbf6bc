"""One line about a data set."""

import cv2
import numpy as np
from mmseg.registry import DATASETS

from mmuda.datasets.summary import summaries, summary


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
    assert summary(build(tmp_path)) == f'RawSegDataset, {tmp_path}/images: 1 image, all labelled'
    unlabelled = build(tmp_path, data_prefix=dict(img_path='images'))
    assert summary(unlabelled) == f'RawSegDataset, {tmp_path}/images: 1 image, without labels'


def test_what_is_left_out_and_why(tmp_path):
    write(tmp_path, *(f'{folder}/{n}.png' for folder in ('images', 'labels') for n in range(3)))
    write(tmp_path, 'labels/1.png', size=(5, 5))
    write(tmp_path, 'images/a/4.jpg', 'images/5.jpeg', 'images/6.jpg')
    (tmp_path / 'images' / 'notes.txt').write_text('x')
    line = summary(build(tmp_path, mismatched='skip'))
    assert line.startswith(f'RawSegDataset, {tmp_path}/images: 2 images, all labelled; left out: ')
    assert line.partition('left out: ')[2] == '2 *.jpg, not *.png, 1 sizes differ, 1 *.jpeg, not *.png'


def test_lists_leave_nothing_out(tmp_path):
    write(tmp_path, 'images/1.png', 'images/2.png', 'labels/1.png')
    (tmp_path / 'list.txt').write_text('images/1.png labels/1.png\nimages/2.png\n')
    listed = DATASETS.build(
        dict(type='SegmentationListDataset', data_root=str(tmp_path), ann_file='list.txt', pipeline=[])
    )
    assert summary(listed) == f'SegmentationListDataset, {tmp_path}/list.txt of {tmp_path}: 2 images, 1 labelled'


def test_sides_and_parts_have_names(tmp_path):
    write(tmp_path, 'images/1.png', 'labels/1.png')
    one = dict(type='RawSegDataset', data_root=str(tmp_path), label_table='train_ids', pipeline=[])
    both = dict(type='ConcatDataset', datasets=[one, one])
    pair = DATASETS.build(dict(type='DomainPairDataset', source=both, target=one))
    line = f'RawSegDataset, {tmp_path}/images: 1 image, all labelled'
    assert list(summaries(pair)) == [f'source: {line}', f'source: {line}', f'target: {line}']
    assert list(summaries(pair.target, 'val')) == [f'val: {line}'] and not list(summaries([1, 2]))

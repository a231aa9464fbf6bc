"""Pairing of the images of a folder with their labels."""

import cv2
import numpy as np
import pytest

from mmuda.own_data.files import NO_IMAGE
from mmuda.own_data.pairing import (
    IS_LABEL,
    JPEG_LABEL,
    NO_IMAGE_FOR_IT,
    NO_LABEL,
    OTHER_KIND,
    SAME_SCENE,
    folder_of_labels,
    pair_folder,
)


def write(root, *names, size=(4, 6)):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.zeros(size, np.uint8))


def left(pairing):
    return {reason: sorted(names) for reason, names in pairing.left_out.items()}


def test_labels_below_the_folder(tmp_path):
    write(tmp_path, 'images/a/1.JPG', 'images/2.png', 'images/3.png', 'labels/a/1.png', 'labels/2.png', 'labels/9.png')
    (tmp_path / 'classes.txt').write_text('road\n')
    found = pair_folder(tmp_path)
    assert found.pairs == [('images/2.png', 'labels/2.png'), ('images/a/1.JPG', 'labels/a/1.png')]
    assert left(found) == {NO_IMAGE: ['classes.txt'], NO_LABEL: ['images/3.png'], NO_IMAGE_FOR_IT: ['labels/9.png']}
    assert found.images == [str(tmp_path / 'images/2.png'), str(tmp_path / 'images/a/1.JPG')]
    assert found.labels[0] == str(tmp_path / 'labels/2.png')


def test_labels_of_another_tree(tmp_path):
    write(tmp_path, 'x/1.jpg', 'y/z/1.png')
    found = pair_folder(tmp_path / 'x', tmp_path / 'y' / 'z')
    assert found.root == tmp_path and found.pairs == [('x/1.jpg', 'y/z/1.png')]
    write(tmp_path, 'x/in/1.png')
    assert pair_folder(tmp_path / 'x', tmp_path / 'x' / 'in').pairs == [('1.jpg', 'in/1.png')]


def test_labels_beside_images(tmp_path):
    write(tmp_path, 'a/1.jpg', 'a/1.png', 'a/2.jpeg', 'a/2.png')
    assert pair_folder(tmp_path).pairs == [('a/1.jpg', 'a/1.png'), ('a/2.jpeg', 'a/2.png')]


def test_one_kind_of_several_is_taken_and_told(tmp_path):
    for number in range(2):
        stem = f'a_{number}'
        write(tmp_path, f'leftImg8bit/{stem}_leftImg8bit.png')
        write(tmp_path, *(f'gtFine/{stem}_gtFine_{kind}.png' for kind in ('labelIds', 'color', 'instanceIds')))
    found = pair_folder(tmp_path)
    assert [label for _, label in found.pairs] == [f'gtFine/a_{n}_gtFine_labelIds.png' for n in range(2)]
    assert found.chosen == {'gtfine gtfine labelids': 2} and len(found.left_out[OTHER_KIND]) == 4
    chosen = pair_folder(tmp_path, label_names='*_color.png')
    assert [label for _, label in chosen.pairs] == [f'gtFine/a_{n}_gtFine_color.png' for n in range(2)]


def test_patterns_tell_images_and_labels_apart(tmp_path):
    write(tmp_path, 'a/0001TP_1.png', 'a/0001TP_1_L.png')
    assert pair_folder(tmp_path, label_names='*_L.png').pairs == [('a/0001TP_1.png', 'a/0001TP_1_L.png')]
    write(tmp_path, 'b/1_left.png', 'b/1_right.png', 'b/1_left_mask.png')
    found = pair_folder(tmp_path / 'b', image_names='*_left.png')
    assert found.pairs == [('1_left.png', '1_left_mask.png')]
    with pytest.raises(FileNotFoundError, match='no image below .* matches .*nothing'):
        pair_folder(tmp_path, image_names='nothing*')


def test_a_target_does_without_labels(tmp_path):
    write(tmp_path, 'images/1.png', 'images/2.png', 'labels/1.png', 'depth/1.png')
    found = pair_folder(tmp_path, wants_labels=False)
    assert found.pairs == [('images/1.png', None), ('images/2.png', None)]
    assert left(found) == {IS_LABEL: ['labels/1.png'], OTHER_KIND: ['depth/1.png']}


def test_pairs_that_nobody_can_train_with_are_left_out(tmp_path):
    write(tmp_path, *(f'{kind}/{n}.png' for kind in ('images', 'labels') for n in range(3)))
    write(tmp_path, 'labels/1.png', size=(5, 5))
    (tmp_path / 'labels' / '2.png').write_bytes(b'no image')
    write(tmp_path, 'images/4_rgb.png', 'images/4_image.png', 'labels/4.png', 'images/5.png', 'labels/5.jpg')
    found = pair_folder(tmp_path)
    assert found.pairs == [('images/0.png', 'labels/0.png')]
    assert left(found) == {
        SAME_SCENE: ['images/4_image.png', 'images/4_rgb.png'],
        JPEG_LABEL: ['labels/5.jpg'],
        NO_LABEL: ['images/5.png'],
        NO_IMAGE_FOR_IT: ['labels/4.png'],
        'sizes differ': ['images/1.png'],
        'file unreadable': ['images/2.png'],
    }


def test_a_folder_of_labels_alone_is_an_error(tmp_path):
    write(tmp_path, 'labels/1.png')
    with pytest.raises(FileNotFoundError, match='names of labels, such as labels/1.png: give the folder of the images'):
        pair_folder(tmp_path)
    (tmp_path / 'none').mkdir()
    with pytest.raises(FileNotFoundError, match='there is no image'):
        pair_folder(tmp_path / 'none')


def test_the_folder_of_labels_is_found_by_its_name(tmp_path):
    write(tmp_path, 'a/images/val/1.png', 'a/labels/val/1.png', 'b/rgb/1.png', 'b/gt/1.png', 'c/photos/1.png')
    assert folder_of_labels(tmp_path / 'a/images/val') == tmp_path / 'a/labels/val'
    assert folder_of_labels(tmp_path / 'b/rgb') == tmp_path / 'b/gt'
    assert folder_of_labels(tmp_path / 'c/photos') is None

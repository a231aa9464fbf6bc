"""Words in file names."""

import pytest

from mmuda.own_data.names import read_name

PAIRS = [
    (
        'leftImg8bit/train/aachen/aachen_000_019_leftImg8bit.png',
        'gtFine/train/aachen/aachen_000_019_gtFine_labelIds.png',
    ),
    ('RGB/0000001.png', 'GT/LABELS/0000001.png'),
    ('img/rgb/1.png', 'img/class/1.png'),
    ('images/1.JPG', 'labels/1.png'),
    ('images/image_0001.jpg', 'labels/image_0001.png'),
    ('images/img_0001.jpg', 'masks/mask_0001.png'),
    ('a/0001_rgb.png', 'a/0001_mask.png'),
    ('0001/image.png', '0001/label.png'),
    ('town1/CameraRGB/7.png', 'town1/CameraSeg/7.png'),
    ('x-y_image.png', 'X-Y.label.png'),
    ('JPEGImages/2007_000032.jpg', 'SegmentationClass/2007_000032.png'),
    ('train_images/3.png', 'train_labels/3.png'),
]


@pytest.mark.parametrize(('image', 'label'), PAIRS)
def test_an_image_and_its_label_have_one_scene(image, label):
    first, second = read_name(image), read_name(label)
    assert (first.is_label, second.is_label) == (False, True)
    assert first.scene == second.scene and any(first.scene)
    assert not first.is_other and not second.is_other


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('a/1.png', 'b/1.png'),
        ('rgb_1.png', 'rgb_2.png'),
        ('images/left_1.png', 'images/right_1.png'),
        ('seg_car_1.png', 'seg_bus_1.png'),
    ],
)
def test_scenes_differ(one, other):
    assert read_name(one).scene != read_name(other).scene


@pytest.mark.parametrize(
    ('path', 'label', 'other'),
    [
        ('gtFine/a_gtFine_color.png', True, True),
        ('GT/COLOR/1.png', True, True),
        ('color/1.png', False, False),
        ('depth/1.png', False, True),
        ('gtFine/a_gtFine_instanceIds.png', True, True),
        ('car_mask_of_zorro_3.png', False, False),
        ('photos/1.png', False, False),
    ],
)
def test_kinds(path, label, other):
    name = read_name(path)
    assert (name.is_label, name.is_other) == (label, other)

"""Reading of images that are not 8-bit colours."""

import cv2
import numpy as np
import pytest

from mmuda.datasets.transforms import LoadDomainImage
from mmuda.own_data.reading import Reading, find_reading
from mmuda.own_data.survey import survey


def found(tmp_path, *images, suffix='.npy'):
    paths = []
    for number, image in enumerate(images):
        paths.append(str(tmp_path / f'{number}{suffix}'))
        np.save(paths[-1], image) if suffix == '.npy' else cv2.imwrite(paths[-1], image)
    return find_reading(paths, survey(paths))


@pytest.mark.parametrize(
    'dtype, greatest, wanted',
    [
        (np.uint16, 200, Reading(None, (0, 255))),
        (np.uint16, 4000, Reading(None, (0, 4095))),
        (np.uint16, 60000, Reading(None, (0, 65535))),
        (np.float32, 0.9, Reading(None, (0, 1))),
        (np.uint8, 255, Reading()),
    ],
)
def test_the_greatest_value_tells_the_range(tmp_path, dtype, greatest, wanted):
    image = np.zeros((8, 9, 3), dtype)
    image[2, 3] = greatest
    assert found(tmp_path, image // 2, image) == wanted


def test_negative_values_and_many_bands(tmp_path):
    image = np.zeros((9, 9, 5), np.float32)
    image[1, 1, 0], image[1, 2, 1], image[1, 3, 4] = -3.5, 80.2, 9000
    assert found(tmp_path, image) == Reading((0, 1, 2), (-4.0, 81.0))
    assert found(tmp_path, np.zeros((9, 9, 5), np.uint8)) == Reading((0, 1, 2))
    assert found(tmp_path, np.zeros((9, 9, 2), np.uint8)) == Reading((0, 0, 0))
    two = LoadDomainImage(bands=(0, 0, 0)).read(str(tmp_path / '0.npy'))
    assert two.shape == (9, 9, 3)


def test_common_images_are_read_as_they_are(tmp_path):
    reading = found(tmp_path, np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8), suffix='.png')
    assert reading == Reading() and reading.options == ''
    deep = found(tmp_path, np.full((4, 5), 900, np.uint16), suffix='.png')
    assert find_reading([str(tmp_path / 'none.npy')], survey([str(tmp_path / '0.png')])) == Reading()
    assert deep.options == ', value_range=(0, 1023), to_uint8=True'

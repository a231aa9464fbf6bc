"""Label maps are read back exactly as they were written."""

import io

import numpy as np
import pytest
from PIL import Image

from mmuda.datasets.label_files import decode_label
from mmuda.label_png import label_png

PALETTE = [(1, 2, 3), (40, 50, 60), (255, 0, 128)]


@pytest.mark.parametrize('dtype', [np.uint8, np.int64])
@pytest.mark.parametrize('shape', [(1, 1), (5, 7), (64, 33)])
def test_values_come_back(shape, dtype):
    label = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    with Image.open(io.BytesIO(label_png(label))) as image:
        assert image.mode == 'L'
        np.testing.assert_array_equal(np.asarray(image), label)


def test_a_palette_colours_the_classes():
    label = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
    with Image.open(io.BytesIO(label_png(label, PALETTE))) as image:
        assert image.mode == 'P'
        np.testing.assert_array_equal(np.asarray(image), label)
        np.testing.assert_array_equal(np.asarray(image.convert('RGB')), np.array(PALETTE, np.uint8)[label])


@pytest.mark.parametrize('size', [(1, 1), (3, 5), (64, 33)])
def test_a_palette_of_few_classes_keeps_ignored_pixels(size):
    """Ignored pixels keep the value 255 even with a palette of 16 colours or fewer, which PNG could store in 4 bits."""
    label = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), size)
    data = label_png(label, PALETTE)
    np.testing.assert_array_equal(decode_label(data, 'a.png'), label)
    with Image.open(io.BytesIO(data)) as image:
        assert not np.asarray(image.convert('RGB'))[label == 255].any()


@pytest.mark.parametrize('shape', [(0, 4), (2, 3, 1), (6,)])
def test_other_shapes_are_an_error(shape):
    with pytest.raises(ValueError, match=r'a label map must be \(H, W\)'):
        label_png(np.zeros(shape, np.uint8))

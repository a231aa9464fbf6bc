"""Writing PNG files row by row."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmuda.png_rows import PNGRows


def written(image: np.ndarray, parts: list[int], palette=None) -> bytes:
    file = io.BytesIO()
    with PNGRows(file, image.shape, palette) as png:
        for part in np.split(image, parts):
            png.write(part)
    return file.getvalue()


@pytest.mark.parametrize('parts', [[], [1], [3, 4, 9]])
def test_the_file_holds_the_values(parts):
    image = np.random.default_rng(0).integers(0, 256, (13, 17), dtype=np.uint8)
    content = written(image, parts)
    assert np.array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED), image)
    with Image.open(io.BytesIO(content)) as found:
        assert found.mode == 'L' and np.array_equal(np.asarray(found), image)


def test_the_palette_leaves_the_values_alone():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    with Image.open(io.BytesIO(written(image, [2], [[1, 2, 3], [250, 0, 9]]))) as found:
        assert found.mode == 'P' and np.array_equal(np.asarray(found), image)
        colours = np.asarray(found.convert('RGB'))
    assert colours[0, 1].tolist() == [250, 0, 9] and colours[2, 3].tolist() == [0, 0, 0]


def test_runs_are_small():
    assert len(written(np.zeros((500, 500), np.uint8), [])) < 3000


def test_wrong_rows_are_errors():
    image = np.zeros((4, 5), np.uint8)
    with pytest.raises(ValueError, match=r'rows must be \(n, 5\) uint8'), PNGRows(io.BytesIO(), (4, 5)) as png:
        png.write(image[:, :4])
    with pytest.raises(ValueError, match='3 rows were written to an image of 4'), PNGRows(io.BytesIO(), (4, 5)) as png:
        png.write(image[:3])
    with pytest.raises(ValueError, match='at least one pixel'):
        PNGRows(io.BytesIO(), (0, 5))

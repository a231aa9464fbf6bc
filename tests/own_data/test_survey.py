"""Sizes and formats of the images of a data set."""

import cv2
import numpy as np
import pytest

from mmuda.own_data.survey import evenly, survey


def test_sizes_and_formats(tmp_path):
    for name, shape in {'a.png': (4, 6, 3), 'b.jpg': (8, 2, 3), 'c.png': (5, 7)}.items():
        cv2.imwrite(str(tmp_path / name), np.zeros(shape, np.uint8))
    cv2.imwrite(str(tmp_path / 'd.png'), np.zeros((5, 7), np.uint16))
    (tmp_path / 'e.png').write_bytes(b'no image')
    found = survey([str(tmp_path / name) for name in ('a.png', 'b.jpg', 'c.png', 'd.png', 'e.png')])
    assert (found.total, found.looked_at, found.smallest, found.largest) == (5, 5, (2, 4), (7, 8))
    assert found.median == (6, 5) and not found.is_uniform
    assert found.formats == {('PNG', 'RGB'): 1, ('JPEG', 'RGB'): 1, ('PNG', 'L'): 1, ('PNG', 'I;16'): 1}
    assert found.unreadable == [str(tmp_path / 'e.png')]
    part = survey([str(tmp_path / 'a.png')] * 10, headers=3)
    assert (part.total, part.looked_at) == (10, 3) and part.is_uniform
    with pytest.raises(OSError, match='none of 1 files is an image'):
        survey([str(tmp_path / 'e.png')])


def test_a_sample_is_spread_over_all():
    assert evenly(range(10), 4) == [0, 3, 6, 9]
    assert evenly([1, 2], 5) == evenly([1, 2], None) == [1, 2]

"""A picture of the colours of classes."""

import numpy as np
import pytest

from mmuda.visualization import legend_picture
from mmuda.visualization.legend import ROWS

COLOURS = [(10, 20, 200), (90, 60, 30), (250, 0, 120)]


def rows_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Return the rows that have pixels of a colour."""
    return np.flatnonzero((picture == colour).all(axis=2).any(axis=1))


def test_each_colour_stands_beside_a_name():
    picture = legend_picture(('road', 'building', 'Straße'), COLOURS)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    found = [rows_of(picture, colour) for colour in COLOURS]
    assert all(rows.size for rows in found) and found[0][-1] < found[1][0] and found[1][-1] < found[2][0]
    for rows in found:
        line = picture[rows[0] : rows[-1] + 1]
        assert (line[:, 50:] < 128).any(), 'there must be text beside the colour'
        assert (line[:, -4:] == 255).all(), 'the text must not be cut off'


def test_names_change_the_text_alone():
    pictures = [legend_picture(names, COLOURS[:1]) for names in (('road',), ('roof',), ('roadroadroad',))]
    assert pictures[0].shape[0] == pictures[2].shape[0] and pictures[0].shape[1] < pictures[2].shape[1]
    width = min(one.shape[1] for one in pictures[:2])
    assert (pictures[0][:, :width] != pictures[1][:, :width]).any()
    assert np.array_equal(pictures[0][:, :40], pictures[1][:, :40])


def test_many_classes_stand_in_columns():
    count = 2 * ROWS + 1
    colours = [(number, 250 - number, 100) for number in range(count)]
    picture = legend_picture([f'class {number}' for number in range(count)], colours)
    one = legend_picture([f'class {number}' for number in range(ROWS)], colours[:ROWS])
    assert picture.shape[0] == one.shape[0] and picture.shape[1] > 2 * one.shape[1]
    assert all(rows_of(picture, colour).size for colour in colours)
    assert np.array_equal(rows_of(picture, colours[0]), rows_of(picture, colours[-1]))


@pytest.mark.parametrize('names', [(), ('road',)])
def test_as_many_names_as_colours(names):
    with pytest.raises(ValueError, match=f'not 3 and {len(names)}'):
        legend_picture(names, COLOURS)

"""Choice of small classes. Numbers of the authors' code are in tests/parity/test_cbst_labels.py."""

import numpy as np
import pytest

from mmuda.labeling import mining_classes


@pytest.mark.parametrize(
    'sizes, priority, mined',
    [
        ([200, 20, 3, 0, 99999], [1, 2, 3], [3, 2, 1]),
        ([5, 5, 5, 5, 5], [], [0, 1, 2]),
        ([0, 900, 0, 99, 1], [0, 2], [0, 2, 4]),  # a share equal to the threshold gives no priority
        ([7, 3], [], [1, 0]),
    ],
)
def test_smallest_classes(sizes, priority, mined):
    found = mining_classes(np.array(sizes), threshold=0.001, number=3)
    assert [ids.tolist() for ids in found] == [priority, mined]


def test_arguments():
    sizes = np.array([50, 30, 15, 5])
    assert [ids.tolist() for ids in mining_classes(sizes, threshold=0.2, number=1)] == [[2, 3], [3]]
    assert mining_classes(sizes, number=0)[1].tolist() == []


def test_no_pixel_at_all():
    with pytest.raises(ValueError, match='no class has a pixel'):
        mining_classes(np.zeros(3, int))

"""The GTA5 reader, on a small copy of the layout (see layouts.py)."""

import layouts
import pytest

from mmuda.datasets.classes import SYNTHIA16


@pytest.mark.parametrize('classes', [None, SYNTHIA16], ids=['19', '16'])
def test_read_as_published(tmp_path, classes):
    layouts.gta5(tmp_path)
    dataset = dict(type='GTA5Dataset', data_root=str(tmp_path))
    layouts.check_reading(
        dataset, tmp_path, 'images/00002.png', 'labels/00002.png', layouts.ids(range(35), 2), 'gta5', classes
    )

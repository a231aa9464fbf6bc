"""The Synscapes reader, on a small copy of the layout (see layouts.py)."""

import layouts
import pytest

from mmuda.datasets.classes import SYNTHIA16


@pytest.mark.parametrize('classes', [None, SYNTHIA16], ids=['19', '16'])
def test_read_as_published(tmp_path, classes):
    layouts.synscapes(tmp_path)
    dataset = dict(type='SynscapesDataset', data_root=str(tmp_path))
    layouts.check_reading(
        dataset, tmp_path, 'img/rgb/2.png', 'img/class/2.png', layouts.ids(range(34), 2), 'synscapes', classes
    )

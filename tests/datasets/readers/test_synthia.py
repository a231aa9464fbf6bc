"""SYNTHIA, read from a small copy of its layout (see layouts.py)."""

import layouts
import pytest

from mmuda.datasets.classes import SYNTHIA16


@pytest.mark.parametrize('classes', [None, SYNTHIA16], ids=['19', '16'])
def test_read_as_published(tmp_path, classes):
    layouts.synthia(tmp_path)
    dataset = dict(type='SYNTHIADataset', data_root=str(tmp_path))
    layouts.check_reading(
        dataset, tmp_path, 'RGB/0000001.png', 'GT/LABELS/0000001.png', layouts.ids(range(23), 1), 'synthia', classes
    )

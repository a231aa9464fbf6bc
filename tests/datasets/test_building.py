"""A data set without images is one clear error."""

import pytest
from toolbox import Numbers

from mmuda.datasets import DomainPairDataset


@pytest.mark.parametrize('exists', [True, False])
def test_an_empty_side_is_an_error(tmp_path, exists):
    if exists:
        (tmp_path / 'leftImg8bit').mkdir()
    target = dict(type='CityscapesDataset', data_root=str(tmp_path), data_prefix=dict(img_path='leftImg8bit'))
    with pytest.raises(FileNotFoundError, match='found no image in .*leftImg8bit' if exists else 'does not exist: see'):
        DomainPairDataset(Numbers(2), target)

"""A data set without images is one clear error."""

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset

from mmuda.datasets import DomainPairDataset


class Numbers(BaseDataset):
    """Its pipeline draws from all three generators."""

    METAINFO = dict(classes=('a', 'b'))

    def __init__(self, size: int, **kwargs) -> None:
        self.size = size
        super().__init__(pipeline=[self.draw], **kwargs)

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]

    @staticmethod
    def draw(results):
        drawn = [random.random(), np.random.rand(), torch.rand(()).item()]
        return dict(inputs=torch.tensor([results['number'], *drawn], dtype=torch.float64), data_samples=None)


@pytest.mark.parametrize('exists', [True, False])
def test_an_empty_side_is_an_error(tmp_path, exists):
    if exists:
        (tmp_path / 'leftImg8bit').mkdir()
    target = dict(type='CityscapesDataset', data_root=str(tmp_path), data_prefix=dict(img_path='leftImg8bit'))
    with pytest.raises(FileNotFoundError, match='found no image in .*leftImg8bit' if exists else 'does not exist: see'):
        DomainPairDataset(Numbers(2), target)

"""Starting points of backbones."""

import pytest

from mmuda.models import ResNet38


def test_a_missing_starting_point_says_where_it_comes_from(tmp_path):
    cfg = dict(type='DeepLabPretrained', checkpoint=str(tmp_path / 'resnet38.pth'), hint='make it with the converter')
    with pytest.raises(
        FileNotFoundError, match='ResNet38 should start from .*resnet38.pth, which does not exist: make it with'
    ):
        ResNet38(base_channels=1, init_cfg=cfg).init_weights()

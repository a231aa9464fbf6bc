"""Facts about the original code bases."""

import pytest
import torch
from toolbox import CONFIGS

from mmuda.checkpoints.key_maps import DEEPLAB, DEEPLAB_ORACLE, FADA
from mmuda.conversion import ORIGINS
from mmuda.conversion.origins import describe


def test_descriptions():
    assert describe({'backbone.conv1.weight': 0, 'decode_head.branches.0.weight': torch.rand(19, 1)}) == 'resnet 19'
    assert describe({'backbone.conv1a.weight': 0, 'decode_head.conv_seg.weight': torch.rand(16, 1)}) == 'resnet38 16'
    assert describe({'backbone.features.0.weight': 0}) == 'vgg'
    assert describe({'decode_head.branches.0.weight': torch.ones(()), 'auxiliary_head.a': 0}) == 'resnet 0 aux'


@pytest.mark.parametrize('name', ORIGINS)
def test_its_configs_exist(name):
    assert ORIGINS[name].configs
    assert all((CONFIGS / config).is_file() for config in ORIGINS[name].configs.values())


def test_a_backbone_fits_whatever_the_classes_are():
    origin = ORIGINS['advent']
    assert origin.config_for('resnet 19 aux', backbone_only=False) == 'advent/gta2city.py'
    assert origin.config_for('resnet', backbone_only=True) == 'advent/gta2city.py'
    assert origin.config_for('resnet', backbone_only=False) is None
    assert origin.config_for('vgg', backbone_only=True) is None


def test_the_oracle_calls_its_head_layer5():
    for keys, layout in ((['conv1.a', 'layer5.b'], DEEPLAB_ORACLE), (['layer5.a', 'layer6.b'], DEEPLAB), ([], DEEPLAB)):
        assert ORIGINS['adaptsegnet'].layout_of(keys) is layout
    assert ORIGINS['fada'].layout_of(['layer5.a']) is FADA

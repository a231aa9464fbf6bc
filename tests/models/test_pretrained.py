"""Backbones are initialised from the files of the papers."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from toolbox import tiny_segmentor

from mmuda.models import ResNet38


@pytest.mark.parametrize('prefix', ['Scale.', ''])
def test_papers_starting_points(tmp_path, prefix):
    cfg = tiny_segmentor()
    source = MODELS.build(cfg).backbone
    for value in source.parameters():
        torch.nn.init.normal_(value)
    weights = {prefix + key: value for key, value in source.state_dict().items() if 'num_batches' not in key}
    weights[prefix + 'layer5.conv2d_list.0.weight'] = torch.zeros(21, 2048, 3, 3)
    torch.save(weights, tmp_path / 'init.pth')
    cfg.backbone.init_cfg = dict(type='DeepLabPretrained', checkpoint=str(tmp_path / 'init.pth'))
    init_default_scope('mmseg')
    net = MODELS.build(cfg)
    net.init_weights()
    for key, value in net.backbone.state_dict().items():
        if 'num_batches' not in key:
            assert torch.equal(value, source.state_dict()[key]), key

    del weights[prefix + 'layer3.0.conv1.weight']
    torch.save(weights, tmp_path / 'init.pth')
    with pytest.raises(RuntimeError, match=r'(?s)missing: layer3.0.conv1.weight\n.*init_cfg=None'):
        MODELS.build(cfg).init_weights()


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(extra=torch.rand(1)), 'unexpected: extra'),
        ({'layer9.0.conv1.weight': torch.rand(1)}, 'unexpected: layer9.0.conv1.weight|unexpected: 0.conv1.weight'),
        ({'conv1.bias': torch.rand(1)}, 'unexpected: conv1.bias'),
        ({'bn1.weight': torch.ones(1, dtype=torch.int64)}, 'of another shape'),
        ({'conv1.weight': None}, 'conv1.weight are not plain tensors'),
    ],
)
def test_a_starting_point_of_another_network_is_refused(tmp_path, change, message):
    cfg = tiny_segmentor()
    torch.save({**MODELS.build(cfg).backbone.state_dict(), **change}, tmp_path / 'init.pth')
    cfg.backbone.init_cfg = dict(type='DeepLabPretrained', checkpoint=str(tmp_path / 'init.pth'))
    init_default_scope('mmseg')
    with pytest.raises(RuntimeError, match=message):
        MODELS.build(cfg).init_weights()


def test_a_starting_point_of_integers_is_refused(tmp_path):
    cfg = tiny_segmentor()
    torch.save(
        {key: value.long() for key, value in MODELS.build(cfg).backbone.state_dict().items()}, tmp_path / 'init.pth'
    )
    cfg.backbone.init_cfg = dict(type='DeepLabPretrained', checkpoint=str(tmp_path / 'init.pth'))
    init_default_scope('mmseg')
    with pytest.raises(
        RuntimeError, match=r'(?s)of another type \(checkpoint, model\): .*conv1.weight torch.int64 torch.float32'
    ):
        MODELS.build(cfg).init_weights()


def test_a_missing_starting_point_says_where_it_comes_from(tmp_path):
    cfg = dict(type='DeepLabPretrained', checkpoint=str(tmp_path / 'resnet38.pth'), hint='make it with the converter')
    with pytest.raises(
        FileNotFoundError, match='ResNet38 should start from .*resnet38.pth, which does not exist: make it with'
    ):
        ResNet38(base_channels=1, init_cfg=cfg).init_weights()

"""Conversion of the MiT weights of NVIDIA, and of networks of DAFormer, HRDA and MIC."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from originals import original_daformer, original_mit
from toolbox import CONFIGS

from mmuda.checkpoints import read_checkpoint
from mmuda.conversion import ORIGINS, convert
from mmuda.conversion.origins import describe
from mmuda.engine.launch import load_config
from mmuda.models import MiT
from mmuda.models.backbones.mit import VARIANTS

PROJECTS = CONFIGS.parent / 'projects'
SMALL_HEAD = dict(in_channels=[4, 8, 20, 32], channels=8, embed_dims=8)


@pytest.mark.parametrize('variant', VARIANTS)
def test_variants_are_told_apart(variant):
    with torch.device('meta'):
        state = {f'backbone.{key}': value for key, value in MiT(variant).state_dict().items()}
    assert describe(state) == f'mit-{variant}'
    del state['backbone.layers.2.1.0.norm1.weight']
    assert describe(state) == 'mit', 'no released size has these layers'


def test_weights_of_imagenet_become_a_starting_point(tmp_path):
    net = MiT('b0')
    torch.save({**original_mit(net.state_dict()), 'head.weight': torch.zeros(1000, 256)}, tmp_path / 'mit_b0.pth')
    done = convert('mit', tmp_path / 'mit_b0.pth', tmp_path / 'ours.pth', CONFIGS)
    assert done.backbone_only and done.left_out == ['head.weight']
    assert done.meta['fits'] == 'projects/daformer/configs/gta2city.py'
    started = MiT('b0', init_cfg=dict(type='StrictPretrained', checkpoint=str(done.path)))
    started.init_weights()
    for name, value in net.state_dict().items():
        assert torch.equal(started.state_dict()[name], value), name


def small(tmp_path, project: str, head: str):
    """Write the config of a project with a small MiT."""
    config = tmp_path / f'{project}.py'
    config.write_text(f"""
_base_ = {str(PROJECTS / project / 'configs/gta2city.py')!r}
small = {SMALL_HEAD}
model = dict(segmentor=dict(
    backbone=dict(embed_dims=4, num_layers=(1, 1, 1, 1), init_cfg=None), decode_head={head}))
""")
    return config


@pytest.mark.parametrize(
    ('project', 'head'), [('daformer', 'small'), ('hrda', 'dict(head=small, scale_attention=small)')]
)
def test_the_student_is_converted(project, head, tmp_path):
    config = small(tmp_path, project, head)
    init_default_scope('mmseg')
    segmentor = MODELS.build(load_config(config).model.segmentor)
    torch.save(original_daformer(segmentor), tmp_path / 'iter_40000.pth')
    done = convert('daformer', tmp_path / 'iter_40000.pth', tmp_path / 'ours.pth', CONFIGS, config=config)
    assert not done.backbone_only and done.meta['method'] == 'DAFormer, HRDA or MIC'
    assert len(done.meta['classes']) == 19
    assert all(key.startswith(('ema_model.', 'imnet_model.')) for key in done.left_out) and done.left_out
    converted = read_checkpoint(done.path)['state_dict']
    assert set(converted) == set(segmentor.state_dict())
    for name, value in segmentor.state_dict().items():
        assert torch.equal(converted[name], value), name


def test_their_configs_are_found_by_the_weights():
    origin = ORIGINS['daformer']
    keys = {f'backbone.{key}': value for key, value in MiT('b5').to('meta').state_dict().items()}
    for head, project in (('', 'daformer'), ('head.', 'hrda')):
        weights = {**keys, f'decode_head.{head}conv_seg.weight': torch.rand(19, 1)}
        if head:
            weights['decode_head.scale_attention.conv_seg.weight'] = torch.rand(19, 1)
        config = CONFIGS / origin.config_for(describe(weights), backbone_only=False)
        assert config.resolve() == PROJECTS / project / 'configs/gta2city.py'

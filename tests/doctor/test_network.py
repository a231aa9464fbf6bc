"""Examination of the networks of a config."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from toolbox import CONFIGS, tiny_adaptor, tiny_options

from mmuda.doctor.network import examine_networks, network_findings
from mmuda.doctor.rows import ERROR, OK, SKIPPED, WARNING
from mmuda.engine.launch import load_config


def load(method='advent', **options):
    return load_config(CONFIGS / method / 'minicity.py', {**tiny_options(method), **options})


def rows(cfg, fast=False) -> dict:
    return {row.item: row for row in examine_networks(cfg, network_findings(cfg), fast).rows}


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SloppyConstructor:
    """A constructor that omits the discriminator and lists the head of the segmentor twice."""

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        pass

    def __call__(self, model):
        segmentor, head = model.segmentor.parameters(), model.segmentor.decode_head.parameters()
        first, second = torch.optim.SGD(segmentor, lr=0.1), torch.optim.SGD(head, lr=0.1)
        return dict(first=OptimWrapper(first), second=OptimWrapper(second))


def test_a_sound_network(minicity, monkeypatch):
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    found = rows(load())
    assert {row.verdict for row in found.values()} == {OK}
    assert found['segmentor.decode_head'].found == 'takes 32 channels, gives 19 classes'
    assert found['discriminator: channels'].found.startswith('takes 19 channels')
    assert found['optimizer of discriminator'].found == 'Adam, 10 tensors, rates 0.001'
    assert found['trained parameters'].found == 'all 78 tensors are in exactly one optimizer'
    assert found['starts from'].found == 'random weights'


def test_channels_and_classes_need_no_data(monkeypatch, tmp_path):
    monkeypatch.setenv('MINICITY_ROOT', str(tmp_path / 'nothing'))
    cfg = load(**{'model.discriminator.in_channels': 7, 'model.segmentor.decode_head.num_classes': 20})
    found = rows(cfg)
    assert found['model.discriminator.in_channels'].verdict == ERROR
    assert 'sees 20 channels' in found['model.discriminator.in_channels'].found
    assert found['model.segmentor.decode_head.num_classes'].verdict == ERROR
    assert 'discriminator: channels' not in found and 'segmentor.decode_head' not in found


def test_each_parameter_belongs_to_exactly_one_optimizer():
    cfg = load()
    cfg.optim_wrapper = dict(constructor='SloppyConstructor')
    found = rows(cfg)
    assert found['parameters in no optimizer'].verdict == ERROR
    assert found['parameters in no optimizer'].found.startswith('10: discriminator.')
    assert found['parameters in several optimizers'].found.startswith('8: segmentor.decode_head.')
    assert 'trained parameters' not in found


def test_an_entry_that_is_missing():
    cfg = load()
    cfg.optim_wrapper.pop('discriminator')
    assert rows(cfg)['optim_wrapper'].verdict == ERROR


def test_a_network_that_cannot_be_built():
    cfg = load(**{'+model.segmentor.backbone.depth': 7})
    assert [row.item for row in examine_networks(cfg, network_findings(cfg)).rows] == ['model']


def test_weights_to_start_from(tmp_path):
    file = tmp_path / 'start.pth'
    cfg = load(load_from=str(file))
    assert rows(cfg)['starts from: load_from'].verdict == ERROR
    torch.save(dict(state_dict=tiny_adaptor('ADVENT', two_levels=False).state_dict()), file)
    found = rows(cfg)
    assert found['starts from: load_from'].verdict == OK
    assert found['weights'].verdict == ERROR and 'does not fit' in found['weights'].found
    assert rows(cfg, fast=True)['weights'].verdict == SKIPPED


@pytest.mark.parametrize(
    ('source', 'verdict'), [('missing.pth', ERROR), ('https://example.org/not_there.pth', WARNING)]
)
def test_initial_weights_of_a_backbone(source, verdict):
    cfg = load()
    cfg.model.segmentor.backbone.init_cfg = dict(type='DeepLabPretrained', checkpoint=source, hint='ask its author')
    row = rows(cfg, fast=True)['starts from: segmentor.backbone']
    assert row.verdict == verdict and source in row.found
    assert verdict == WARNING or row.remedy == 'ask its author'


def test_stages_with_the_same_network_are_one(minicity, monkeypatch):
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))
    found = rows(load('intrada'))
    assert 'inter: model' in found and 'intra: model' not in found


def test_nothing_is_downloaded(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('nothing must be downloaded')

    monkeypatch.setattr('torch.hub.download_url_to_file', refuse)
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', refuse)
    address = 'https://example.org/not_there.pth'
    cfg = load(load_from='https://example.org/start.pth')
    cfg.model.segmentor.backbone.init_cfg = dict(type='DeepLabPretrained', checkpoint=address)
    found = rows(cfg)
    assert found['initial weights'].verdict == SKIPPED and address in found['initial weights'].found
    assert found['starts from: load_from'].verdict == SKIPPED and 'not read' in found['starts from: load_from'].found
    assert 'weights' not in found


@pytest.mark.parametrize(
    'inside, verdict, says', [('weights.pth', OK, 'installed: '), ('other.pth', ERROR, 'has no file')]
)
def test_weights_inside_of_a_package_are_looked_at(tmp_path, monkeypatch, inside, verdict, says):
    (tmp_path / 'some_weights').mkdir()
    (tmp_path / 'some_weights/__init__.py').touch()
    (tmp_path / 'some_weights/weights.pth').touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg = load_config(CONFIGS / 'source_only/carla2camvid.py')
    cfg.model.segmentor.backbone.init_cfg.checkpoint = f'package://some_weights/{inside}'
    rows = examine_networks(cfg, network_findings(cfg), fast=True).rows
    (row,) = [row for row in rows if row.item == 'starts from: segmentor.backbone']
    assert row.verdict == verdict and says in row.found

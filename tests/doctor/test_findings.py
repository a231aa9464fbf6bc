"""All findings of a config in one call."""

import pytest
from toolbox import CONFIGS

from mmuda.checks import check_config
from mmuda.checks.finding import of_stage, split_stage
from mmuda.doctor.findings import all_findings, trainings
from mmuda.engine.launch import load_config


@pytest.fixture
def load(minicity, monkeypatch, tmp_path):
    monkeypatch.setenv('MINICITY_ROOT', str(minicity))

    def load(method, options):
        return load_config(CONFIGS / method / 'minicity.py', options, str(tmp_path / 'work'))

    return load


def test_a_mistake_does_not_hide_those_behind_it(load):
    cfg = load(
        'advent',
        {
            '+no_such_key': 1,
            '+train_cfg.val_intervall': 5,
            'model.discriminator.in_channels': 7,
            'val_dataloader.dataset.metainfo': dict(classes=('road', 'car')),
        },
    )
    text = cfg.pretty_text
    assert len(check_config(cfg)) == 1
    findings, readable = all_findings(cfg)
    assert {one.key for one in findings} == {
        'no_such_key',
        'train_cfg.val_intervall',
        'model.discriminator.in_channels',
        'val_dataloader.dataset.metainfo.classes',
    }
    assert cfg.pretty_text == text
    assert 'no_such_key' not in readable and 'val_intervall' not in readable.train_cfg
    assert readable.model.discriminator.in_channels == 7, 'the network can still be built and examined'


def test_a_config_without_mistakes_stays_as_it_is(load):
    cfg = load('advent', {})
    findings, readable = all_findings(cfg)
    assert not findings and readable.pretty_text == cfg.pretty_text


def test_mistakes_of_a_stage(load):
    cfg = load('intrada', {'+intra.overrides.train_cfg.val_intervall': 5, '+train_cfg.max_itters': 5})
    keys = {one.key for one in all_findings(cfg)[0]}
    assert any(key.endswith('train_cfg.val_intervall') for key in keys)
    assert any(key.endswith('train_cfg.max_itters') for key in keys)


def test_trainings_of_a_config(load):
    assert [name for name, _ in trainings(load('advent', {}))] == ['']
    found = dict(trainings(load('intrada', {})))
    assert list(found) == ['inter', 'intra'] and found['intra'].load_from == '{inter}'
    assert of_stage('intra') == "stage 'intra': " and of_stage('') == ''
    assert split_stage("stage 'a/0': train_cfg.max_iters") == ('a/0', 'train_cfg.max_iters')
    assert split_stage('train_cfg') == ('', 'train_cfg')


def test_a_mistake_that_is_taken_out_does_not_come_back(load):
    cfg = load('advent', {'+model.segmentor.decode_head.no_such_key': 3})
    findings, readable = all_findings(cfg)
    assert [one.key for one in findings] == ['model.segmentor.decode_head.no_such_key']
    assert 'no_such_key' not in readable.model.segmentor.decode_head

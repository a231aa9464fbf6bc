"""The whole report, with all sections in order."""

import pytest
from toolbox import CONFIGS, tiny_options

from mmuda.doctor import ERROR, SKIPPED, Examination, Options

CONFIG = CONFIGS / 'advent/minicity.py'
NAMES = ['environment', 'config', 'data', 'network', 'schedule', 'dry iteration']


@pytest.fixture
def examine(minicity, monkeypatch, tmp_path):
    def examine(config=CONFIG, root=minicity, fast=False, **overrides):
        monkeypatch.setenv('MINICITY_ROOT', str(root))
        options = Options(None, fast, str(tmp_path / 'work'), {**tiny_options('advent', val=3), **overrides})
        examination = Examination(config, options)
        sections = {section.name: section for section in examination.sections()}
        assert not (tmp_path / 'work').exists()
        return examination, sections

    return examine


def items(section) -> dict:
    return {row.item: row for row in section.rows}


def test_without_a_config_the_environment_alone():
    examination = Examination()
    assert [section.name for section in examination.sections()] == ['environment']
    assert examination.content()['config'] is None and examination.count(ERROR) == 0


def test_a_sound_config(examine):
    examination, sections = examine()
    assert list(sections) == NAMES and examination.count(ERROR) == 0
    assert items(sections['config'])['keys and values'].found == 'no mistake found'
    assert sections['dry iteration'].facts['hours'] > 0
    content = examination.content()
    assert content['errors'] == 0 and [section['name'] for section in content['sections']] == NAMES


def test_missing_data_stop_no_other_section(examine, tmp_path):
    examination, sections = examine(root=tmp_path / 'nothing')
    assert list(sections) == NAMES and examination.count(ERROR) == sections['data'].count(ERROR) == 1
    assert sections['network'].count('ok') > 5 and sections['schedule'].count('ok') > 2
    row = items(sections['dry iteration'])['dry iteration']
    assert row.verdict == SKIPPED and 'data sets are missing' in row.found


def test_five_mistakes_in_one_go(examine, tmp_path):
    key = 'optim_wrapper.segmentor.paramwise_cfg.custom_keys'
    examination, sections = examine(
        root=tmp_path / 'nothing',
        **{
            '+train_cfg.val_intervall': 3,
            'model.discriminator.in_channels': 7,
            'default_hooks.checkpoint.interval': -5,
            f'+{key}.decode_heat': dict(lr_mult=2.0),
        },
    )
    errors = {row.item: row for section in sections.values() for row in section.rows if row.verdict == ERROR}
    assert set(errors) == {
        'train_cfg.val_intervall',
        'model.discriminator.in_channels',
        'default_hooks.checkpoint.interval',
        f'{key}.decode_heat',
        'train.source',
    }
    assert all(row.remedy or 'expected' in row.found for row in errors.values())
    assert examination.count(ERROR) == 5


def test_the_fast_look_tries_nothing(examine):
    _, sections = examine(fast=True)
    row = items(sections['dry iteration'])['dry iteration']
    assert row.verdict == SKIPPED and '--fast' in row.found and sections['data'].count(SKIPPED) == 3


def test_a_dry_iteration_waits_for_the_errors_before_it(examine):
    row = items(examine(**{'model.discriminator.in_channels': 7})[1]['dry iteration'])['dry iteration']
    assert row.verdict == SKIPPED and 'errors above' in row.found


@pytest.mark.parametrize(('text', 'told'), [('a = (', 'was never closed'), (None, 'does not exist')])
def test_a_config_that_cannot_be_read(examine, tmp_path, text, told):
    config = tmp_path / 'broken.py'
    if text is not None:
        config.write_text(text)
    examination, sections = examine(config)
    assert list(sections) == NAMES[:2] and examination.count(ERROR) == 1
    assert told in sections['config'].rows[0].found


def test_stages_that_cannot_be_built(examine):
    _, sections = examine(CONFIGS / 'intrada/minicity.py', **{'rank.weights': '{nothing}', 'stages': ['rank', 'rank']})
    assert list(sections)[:2] == NAMES[:2] and sections['config'].count(ERROR) >= 1


def test_other_roots_are_told_by_the_fast_look_too(examine, tmp_path):
    root = str(tmp_path / 'nothing')
    examination, sections = examine(fast=True, **{'val_dataloader.dataset.data_root': root})
    assert examination.count(ERROR) == sections['data'].count(ERROR) == 1
    assert root in items(sections['data'])['val'].found


def test_what_the_section_of_the_data_does_not_tell_is_told(examine, monkeypatch, tmp_path):
    # The section of the data then finds no error.
    monkeypatch.setattr('mmuda.doctor.datasets.build_unchecked', lambda node: [1, 2])
    examination, sections = examine(root=tmp_path / 'nothing', fast=True)
    assert examination.count(ERROR) >= 1 and items(sections['data'])['train_dataloader.dataset.source'].verdict == ERROR


def test_a_misspelt_key_of_the_network_is_told_once(examine):
    examination, sections = examine(fast=True, **{'+model.segmentor.decode_head.no_such_key': 3})
    assert examination.count(ERROR) == sections['config'].count(ERROR) == 1
    assert sections['network'].count('ok') > 3


@pytest.mark.parametrize(
    ('broken', 'section'), [('all_findings', 'config'), ('network_findings', 'network'), ('examined_places', None)]
)
def test_an_error_of_a_check_stops_no_other_section(examine, monkeypatch, broken, section):
    def fail(cfg):
        raise RuntimeError('unexpected')

    monkeypatch.setattr(f'mmuda.doctor.examination.{broken}', fail)
    examination, sections = examine(fast=True)
    assert list(sections) == NAMES and examination.count(ERROR) == (section is not None)
    assert section is None or (sections[section].rows[0].found, bool(sections[section].rows[0].remedy)) == (
        'unexpected',
        True,
    )

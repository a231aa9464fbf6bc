"""Tests of `tools/doctor.py`."""

import json
import runpy
import sys

import pytest
from commands import TOOLS, run
from toolbox import CONFIGS, tiny_options

OPTIONS = ['--cfg-options', *(f'{key}={value}' for key, value in tiny_options('advent', val=3).items())]


@pytest.fixture
def doctor(minicity, monkeypatch, capsys):
    """Return a function that runs the tool in this process and returns its exit status and output."""

    def doctor(*args, root=minicity):
        monkeypatch.setenv('MINICITY_ROOT', str(root))
        monkeypatch.syspath_prepend(TOOLS)
        monkeypatch.setattr(sys, 'argv', ['doctor.py', *map(str, args)])
        try:
            runpy.run_path(str(TOOLS / 'doctor.py'), run_name='__main__')
        except SystemExit as end:
            return end.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    return doctor


def test_the_environment_alone(minicity):
    printed = run(minicity, TOOLS / 'doctor.py')
    assert ' environment ' in printed and '0 errors' in printed and ' config ' not in printed


def test_a_sound_config_has_exit_status_0(doctor, tmp_path):
    work, report = tmp_path / 'work', tmp_path / 'report.json'
    config = CONFIGS / 'advent/minicity.py'
    code, printed = doctor(config, '--work-dir', work, '--images', 3, '--json', report, *OPTIONS)
    assert code == 0 and not work.exists()
    titles = [f'+ {name} -' for name in ('environment', 'config', 'data', 'network', 'schedule', 'dry iteration')]
    places = [printed.index(title) for title in titles]
    assert places == sorted(places)
    assert 'peak memory' in printed and '3 images of 7 decoded' in printed
    content = json.loads(report.read_text())
    assert content['errors'] == 0 and content['sections'][-1]['facts']['training']['seconds'] > 0


def test_errors_have_exit_status_1(doctor, tmp_path):
    report = tmp_path / 'report.json'
    code, printed = doctor(CONFIGS / 'advent/minicity.py', '--fast', '--json', report, root=tmp_path / 'nothing')
    assert code == 1 and '1 error, ' in printed and str(tmp_path / 'nothing') in report.read_text()


@pytest.mark.parametrize('images', ['0', 'some'])
def test_wrong_numbers_of_images(doctor, images, capsys):
    assert doctor(CONFIGS / 'advent/minicity.py', '--images', images)[0] == 2


def test_a_report_that_is_interrupted_is_written(doctor, monkeypatch, tmp_path):
    def stop(cfg):
        raise SystemExit(3)

    monkeypatch.setattr('mmuda.doctor.examination.all_findings', stop)
    report = tmp_path / 'report.json'
    assert doctor(CONFIGS / 'advent/minicity.py', '--fast', '--json', report)[0] == 3
    assert [section['name'] for section in json.loads(report.read_text())['sections']] == ['environment']

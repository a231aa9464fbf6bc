"""The command line of the tools, and their error messages."""

import argparse
import runpy
import subprocess
import sys

import pytest
from commands import TOOLS

from mmuda.comparison import STATISTICS
from mmuda.datasets.image_files import MAX_PIXELS
from mmuda.doctor.examination import SAMPLE
from mmuda.engine.evaluated_images import SPLITS
from mmuda.minicity import VERSION, VERSIONS
from mmuda.own_data.label_values import LABELS
from mmuda.own_data.recipes import METHODS, NETWORKS
from mmuda.prediction import FORMATS
from mmuda.prediction.predictor import WHOLE_UP_TO
from tools.command_line import KeyValues, message_of, run_command

HELP = """
import runpy, sys
sys.modules.update(dict.fromkeys(['torch', 'numpy', 'mmengine', 'mmuda']))  # makes an import of one of them fail
for tool in sys.argv[1:]:
    sys.argv = [tool, '--help']
    try:
        runpy.run_path(tool, run_name='__main__')
    except SystemExit as end:
        assert end.code == 0, tool
"""


def test_help_loads_nothing():
    tools = sorted(str(path) for path in TOOLS.glob('*.py') if path.stem not in ('command_line', 'launch'))
    printed = subprocess.run(
        [sys.executable, '-c', HELP, *tools], env={'PYTHONPATH': str(TOOLS)}, check=True, capture_output=True, text=True
    ).stdout
    assert printed.count('usage: ') == len(tools) > 15


@pytest.mark.parametrize(
    ('tool', 'argument', 'choices', 'default'),
    [
        ('compare', 'batch_norm', STATISTICS, list(STATISTICS)),
        ('demo', 'version', VERSIONS, VERSION),
        ('doctor', 'images', None, SAMPLE),
        ('minicity', 'version', VERSIONS, VERSION),
        ('new_pair', 'method', METHODS, 'dacs'),
        ('new_pair', 'network', NETWORKS, None),
        ('new_pair', 'sample', None, str(LABELS)),
        ('predict', 'format', ['own', *FORMATS], None),
        ('predict', 'whole_up_to', None, WHOLE_UP_TO / 1e6),
        ('predict', 'max_megapixels', None, MAX_PIXELS / 1e6),
        ('test', 'on', SPLITS, SPLITS[0]),
    ],
)
def test_what_is_offered_is_what_there_is(monkeypatch, tool, argument, choices, default):
    """Choices and defaults of the tools, repeated there because mmuda takes seconds to import, agree with mmuda."""
    monkeypatch.syspath_prepend(TOOLS)

    def offer(parser):
        assert parser.get_default(argument) == default
        assert choices is None or f'{{{",".join(map(str, choices))}}}' in parser.format_help()
        raise SystemExit

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', offer)
    with pytest.raises(SystemExit):
        runpy.run_path(str(TOOLS / f'{tool}.py'))['parse_args']()


def fails() -> None:
    raise KeyError('no such key')


def test_an_error_is_its_message(monkeypatch):
    monkeypatch.setattr('sys.argv', ['tool'])
    with pytest.raises(SystemExit, match=r'error: no such key.*--traceback shows it'):
        run_command(fails)
    monkeypatch.setattr('sys.argv', ['tool', '--traceback'])
    with pytest.raises(KeyError):
        run_command(fails)


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (KeyError('name'), 'KeyError: name'),
        (AssertionError(), 'AssertionError'),
        (ValueError('what is wrong'), 'what is wrong'),
    ],
)
def test_a_message_always_says_something(error, text):
    assert message_of(error) == text


def read(*options: str) -> dict:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=KeyValues)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def test_values_with_dicts_are_those_of_python():
    """Values with dicts are read as Python. The reader of mmengine would split them at commas."""
    read_back = read('a.b=3', "steps=[{'type': 'Flip', 'prob': 0.5}]", 'names=x,y', "+hook={'type': 'A'}")
    assert read_back == {'a.b': 3, 'names': ['x', 'y'], 'steps': [dict(type='Flip', prob=0.5)], '+hook': dict(type='A')}
    assert read("a={'b': 1}") == {'a': dict(b=1)}


def test_the_result_of_a_stage_is_a_text():
    assert read('intra.weights={inter}', 'label.prior={prior}/prior.npz', 'a.labels={rounds/0/label}') == {
        'intra.weights': '{inter}',
        'label.prior': '{prior}/prior.npz',
        'a.labels': '{rounds/0/label}',
    }


@pytest.mark.parametrize(
    ('option', 'said'),
    [
        ('a', 'expected KEY=VALUE'),
        ('a={b:1', 'a: cannot parse {b:1'),
        ('a=dict(b=1)', 'a: cannot parse dict(b=1): write dicts as in Python'),
        ('a=f(1,2)', 'a: cannot parse f(1,2): close all brackets'),
        ('a=[1,2', 'a: cannot parse [1,2: close all brackets'),
    ],
)
def test_an_option_that_cannot_be_read_is_told(option, said, capsys):
    with pytest.raises(SystemExit):
        read(option)
    assert said in capsys.readouterr().err

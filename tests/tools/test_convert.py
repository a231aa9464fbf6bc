"""Tests of `tools/convert.py` and of the older scripts that it replaces."""

import json
import runpy
import sys

import pytest
import torch
from commands import TOOLS, run_tool
from originals import original
from toolbox import CONFIGS

from mmuda.conversion import ORIGINS


def test_the_test_command_of_the_original(tmp_path, minicity):
    """A checkpoint converted on the command line can be tested by `tools/test.py CONFIG converted.pth --eval mIoU`."""
    config = tmp_path / 'tiny_minicity.py'
    config.write_text(f"""
_base_ = {str(CONFIGS / 'advent/minicity.py')!r}
model = dict(
    segmentor=dict(backbone=dict(base_channels=4, stem_channels=4), decode_head=dict(in_channels=32)),
    discriminator=dict(base_channels=2))
train_dataloader = dict(dataset=dict(source=dict(data_root={str(minicity / 'source')!r}),
                                     target=dict(data_root={str(minicity / 'target')!r})))
val_dataloader = dict(dataset=dict(data_root={str(minicity / 'target')!r}))
test_dataloader = val_dataloader
""")
    torch.save(original(config), tmp_path / 'original.pth')
    files = tmp_path / 'original.pth', tmp_path / 'ours.pth'
    code, printed = run_tool(TOOLS / 'convert.py', 'advent', *files, '--config', config)
    assert code == 0 and f'ADVENT or IntraDA, 19 classes, fits {config}' in printed, printed
    out = tmp_path / 'results'
    code, printed = run_tool(TOOLS / 'test.py', config, tmp_path / 'ours.pth', '--eval', 'mIoU', '--work-dir', out)
    assert code == 0, printed
    (metrics,) = out.rglob('ours.json')
    assert 0 <= json.loads(metrics.read_text())['metrics']['mIoU'] <= 100


@pytest.mark.parametrize('command', [['convert.py', 'fada'], ['model_converters/fada.py']])
def test_a_file_of_another_origin_is_one_line(tmp_path, command):
    torch.save({'layer1.weight': torch.ones(1)}, tmp_path / 'original.pth')
    code, printed = run_tool(TOOLS / command[0], *command[1:], tmp_path / 'original.pth', tmp_path / 'ours.pth')
    assert code == 1 and 'has no feature_extractor and no classifier' in printed
    assert 'Traceback' not in printed and not (tmp_path / 'ours.pth').exists()


def test_the_help_names_every_origin():
    _, printed = run_tool(TOOLS / 'convert.py', '--help')
    for name, origin in ORIGINS.items():
        assert f'{name:18}{origin.networks}' in printed
    assert run_tool(TOOLS / 'convert.py', 'nobody', 'a.pth', 'b.pth')[0] == 2


OLD = ('adaptsegnet', 'advent', 'caffe_resnet101', 'cbst', 'fada', 'sdca', 'sim', 'torchvision_vgg16')


@pytest.mark.parametrize('name', OLD)
def test_the_old_commands_are_the_same(monkeypatch, capsys, name):
    """The older scripts tools/model_converters/NAME.py call tools/convert.py."""
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', 'nowhere.pth', 'ours.pth'])
    with pytest.raises(SystemExit, match='nowhere.pth is no file: name the one to convert'):
        runpy.run_path(str(TOOLS / f'model_converters/{name}.py'), run_name='__main__')
    assert sys.argv[1:] == [name, 'nowhere.pth', 'ours.pth']


def test_old_commands_are_there():
    assert {path.stem for path in (TOOLS / 'model_converters').glob('*.py')} == set(OLD) <= set(ORIGINS)

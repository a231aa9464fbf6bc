"""Unused variables and keys in config files."""

import pytest
from mmengine.config import Config

from mmuda.checks.variables import check_top_level


@pytest.mark.parametrize(
    ('base', 'text', 'wrong'),
    [
        ('', "root = 'x'\nwork_dir = root\n", []),
        ('', "root = 'x'\n", ['root']),
        ("root = 'x'\n", '', []),  # another config may use a variable of a base
        ("root = 'x'\n", 'work_dir = _base_.root\n', []),
        ("root = 'x'\n", 'work_dir = {{_base_.root}}\n', []),
        ('custom_hook = []\n', '', ['custom_hook']),
        ('', "first, *others = ['a', 'b']\nwork_dir = first\n", []),
        ('', 'resume = False\n_private = 1\n', []),
        ('', 'for i, name in enumerate(["a"]):\n    work_dir = name\n', []),
        (
            '',
            "import contextlib\nwith contextlib.nullcontext('x') as entered:\n    work_dir = 'x'\n"
            "if True:\n    root = 'x'\nload_from = root\n",
            [],
        ),
        ('', 'from math import pi, tau\nwork_dir = str(pi)\n', []),
        ('', 'if True:\n    learning_rate = 0.1\n', ['learning_rate']),
        ('', "stages = ['one']\none = dict(type='TrainStage')\ntwo = dict(type='TrainStage')\n", []),
    ],
)
def test_a_variable_is_a_name_that_is_used(base, text, wrong, tmp_path):
    (tmp_path / 'base.py').write_text(base)
    path = tmp_path / 'config.py'
    path.write_text("_base_ = './base.py'\n" + text)
    assert [finding.key for finding in check_top_level(Config.fromfile(path))] == wrong


def test_a_dumped_config_is_checked_for_what_is_almost_a_key(tmp_path):
    run = "default_scope = 'mmseg'\nmodel = dict(type='SourceOnly')\nwork_dir = 'x'\n"
    (tmp_path / 'config.py').write_text(run + "root = 'x'\nload_from = root\ncustom_hook = [dict(a=1)]\nhalf = 1\n")
    cfg = Config.fromfile(tmp_path / 'config.py')
    assert [finding.level for finding in check_top_level(cfg)] == ['error'] * 2
    cfg.dump(tmp_path / 'dumped.py')
    assert [(one.key, one.level) for one in check_top_level(Config.fromfile(tmp_path / 'dumped.py'))] == [
        ('custom_hook', 'warning')
    ]


def test_keys_of_the_command_line(tmp_path):
    (tmp_path / 'config.py').write_text('resume = False\n')
    cfg = Config.fromfile(tmp_path / 'config.py')
    cfg.merge_from_dict({'new_key': 1})
    assert [finding.key for finding in check_top_level(cfg)] == ['new_key']

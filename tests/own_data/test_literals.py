"""Values written as Python text."""

import ast

import pytest
from mmengine.config import Config

from mmuda.own_data.literals import comment, literal, wrapped_dict, wrapped_tuple

HARMFUL = [
    "it's",
    '"both\' kinds"',
    '{{ fileDirname }}',
    '{{$HOME:x}}',
    "'{{{_base_.x}}}'",
    'back\\slash',
    'two\nlines',
    '"); import os  # ',
    'für',
]


@pytest.mark.parametrize('value', [*HARMFUL, 3, 1.5, True, None, (), (1,), ("it's", (2, 3))])
def test_a_literal_is_the_value(value):
    assert ast.literal_eval(literal(value)) == value


def test_mmengine_reads_the_same(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(f'names = {wrapped_tuple(HARMFUL)}\ntable = {wrapped_dict({name: 1 for name in HARMFUL})}\n')
    cfg = Config.fromfile(path)
    assert list(cfg.names) == HARMFUL and list(cfg.table) == HARMFUL


def test_long_values_are_wrapped():
    values = tuple(f'class number {number}' for number in range(40))
    text = wrapped_tuple(values)
    assert ast.literal_eval(text) == values and max(map(len, text.splitlines())) <= 120
    table = {(number, 0, 0): number for number in range(60)}
    assert ast.literal_eval(wrapped_dict(table)) == table
    assert wrapped_tuple(('one',)) == "('one',)" and ast.literal_eval(wrapped_tuple(())) == ()


def test_a_comment_stays_one(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(comment('a\nimport os\r{{ fileDirname }} {{{$HOME:x}}} ' + 'word ' * 60) + '\nx = 1\n')
    assert dict(Config.fromfile(path).items()) == {'x': 1}

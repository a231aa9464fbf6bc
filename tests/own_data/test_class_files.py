"""Class names in the files of users."""

import json

import pytest

from mmuda.datasets.classes import CITYSCAPES_CLASSES
from mmuda.own_data.class_files import Entry, find_class_file, is_table, read_classes


def read(tmp_path, text, name='classes.txt', encoding='utf-8'):
    (tmp_path / name).write_text(text if isinstance(text, str) else json.dumps(text), encoding=encoding)
    return read_classes([str(tmp_path / name)])


def test_words():
    assert read_classes(['road', 'traffic light']) == [Entry('road'), Entry('traffic light')]
    assert read_classes(['house']) == [Entry('house')]


def test_label_tables_of_mmuda():
    entries = read_classes(['train_ids'])
    assert [entry.name for entry in entries] == [*CITYSCAPES_CLASSES, 'ignore'] and entries[-1].value == 255
    by_id = {entry.value: entry for entry in read_classes(['cityscapes'])}
    assert by_id[7] == Entry('road', 7, (128, 64, 128)) and by_id[0].name == 'ignore'
    assert [(entry.value, entry.name) for entry in read_classes(['loveda'])][:3] == [
        (0, 'ignore'),
        (1, 'background'),
        (2, 'building'),
    ]
    assert is_table(['train_ids']) and not is_table(['road']) and not is_table(['train_ids', 'road'])


@pytest.mark.parametrize(
    ('text', 'entries'),
    [
        ('road\n\ntraffic light\n# a comment\n', [Entry('road'), Entry('traffic light')]),
        ('0 road\n7 traffic light\n', [Entry('road', 0), Entry('traffic light', 7)]),
        ('0: road\n1: car', [Entry('road', 0), Entry('car', 1)]),
        ('128 64 128 road\n0 0 142 car', [Entry('road', None, (128, 64, 128)), Entry('car', None, (0, 0, 142))]),
        ('name,r,g,b\nroad,128,64,128\n', [Entry('road', None, (128, 64, 128))]),
        ('id;name;r;g;b\n3;traffic light;1;2;3', [Entry('traffic light', 3, (1, 2, 3))]),
        ('# label:color_rgb:parts:actions\nroad:128,64,128::\n', [Entry('road', None, (128, 64, 128))]),
        ('road\t0\ncar\t1', [Entry('road', 0), Entry('car', 1)]),
    ],
)
def test_text_files(tmp_path, text, entries):
    assert read(tmp_path, text) == entries
    assert read(tmp_path, text, encoding='utf-8-sig') == entries


@pytest.mark.parametrize(
    ('content', 'entries'),
    [
        (['road', 'car'], [Entry('road'), Entry('car')]),
        ({'0': 'road', '7': 'car'}, [Entry('road', 0), Entry('car', 7)]),
        ({'road': 0, 'car': 7}, [Entry('road', 0), Entry('car', 7)]),
        ({'road': [1, 2, 3]}, [Entry('road', None, (1, 2, 3))]),
        ([{'name': 'road', 'id': 4, 'color': [1, 2, 3]}], [Entry('road', 4, (1, 2, 3))]),
    ],
)
def test_json_files(tmp_path, content, entries):
    assert read(tmp_path, content, 'classes.json') == entries


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'names no class'),
        ('1 2 road', 'has 2 numbers'),
        ('0 road\n0 car', 'names value 0 more than once'),
        ('1 2 3 road\n1 2 3 car', r'names colour \(1, 2, 3\) more than once'),
        ('0 road\ncar', "'car' has no value, others have one"),
        ('300 0 0 road', 'is no colour of 0..255'),
        ('road, car', 'has 2 names'),
    ],
)
def test_other_files_are_an_error_with_the_formats(tmp_path, text, message):
    with pytest.raises(ValueError, match=f'(?s)classes.txt.*{message}.*'):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError, match='the file .*names.txt does not exist; or give names'):
        read_classes(['names.txt'])


def test_files_beside_images_are_found(tmp_path):
    (tmp_path / 'images').mkdir()
    assert find_class_file([tmp_path / 'images']) is None
    (tmp_path / 'class_dict.csv').write_text('')
    assert find_class_file([tmp_path / 'images']) == tmp_path / 'class_dict.csv'
    (tmp_path / 'images' / 'classes.txt').write_text('')
    assert find_class_file([tmp_path / 'images']) == tmp_path / 'images' / 'classes.txt'

"""Classes for the values in label files."""

from collections import Counter

import pytest

from mmuda.own_data.class_files import Entry
from mmuda.own_data.classes import ask_for_classes, keep, name_classes, require_equal, seen_names
from mmuda.own_data.label_values import LabelValues


def values(*found) -> LabelValues:
    return LabelValues(2, 2, Counter({value: 10 for value in found}), Counter({value: 2 for value in found}))


def names(*found):
    return [Entry(name) for name in found]


def test_names_belong_to_the_ids_in_ascending_order():
    found = name_classes(names('road', 'car'), values(7, 4))
    assert (found.names, found.table) == (('road', 'car'), {4: 0, 7: 1})
    assert found.name_of(7) == 'car' and found.palette is None and not found.notes
    more = name_classes(names('road', 'car', 'sky'), values(0, 2))
    assert more.table == {0: 0, 1: 1, 2: 2} and more.notes[0] == 'names have the ids 0 to 2, in their order'
    assert more.notes[1] == 'not in the labels that were read: car'


def test_ids_and_colours_of_a_file():
    found = name_classes([Entry('car', 9, (1, 2, 3)), Entry('road', 4, (4, 5, 6))], values(4, 9))
    assert (found.names, found.table) == (('car', 'road'), {9: 0, 4: 1})
    assert found.palette == ((1, 2, 3), (4, 5, 6))
    colours = name_classes([Entry('a', None, (1, 2, 3)), Entry('b', None, (0, 0, 0))], values((1, 2, 3), (0, 0, 0)))
    assert colours.table == {(1, 2, 3): 0, (0, 0, 0): 1}


def test_equal_names_are_one_class_and_some_names_are_none():
    found = name_classes(names('road', 'car', 'road', 'void'), values(0, 1, 2, 3))
    assert found.names == ('road', 'car') and found.table == {0: 0, 2: 0, 1: 1, 3: 255} and found.ignored == [3]
    assert found.name_of(3) == '(ignored)' and found.name_of(77) == '?'


def test_nothing_is_ignored_in_silence():
    with pytest.raises(ValueError, match='2 names .* for the 3 ids 0, 1, 255: if 255 means no class, add --ignore 255'):
        name_classes(names('road', 'car'), values(0, 1, 255))
    with pytest.raises(ValueError, match='if 0 means no class, add --ignore 0'):
        name_classes(names('road', 'car'), values(0, 1, 2))
    with pytest.raises(ValueError, match='if 0 and 255 means no class, add --ignore 0 255'):
        name_classes(names('road', 'car'), values(0, 1, 5, 255))
    with pytest.raises(ValueError, match=r'1 ids without a class: 255 \(33.33 %\).*add --ignore 255'):
        name_classes([Entry('road', 0), Entry('car', 1)], values(0, 1, 255))
    found = name_classes(names('road', 'car'), values(0, 1, 255), ignore=[255])
    assert found.table == {0: 0, 1: 1, 255: 255}


def test_masks_have_two_classes():
    found = name_classes(names('house'), values(0, 255))
    assert (found.names, found.table) == (('background', 'house'), {0: 0, 255: 1})
    assert found.notes == ['labels are masks: 0 is called background']
    assert name_classes(names('ground', 'house'), values(0, 255)).names == ('ground', 'house')


def test_colours_need_a_file_which_the_error_begins():
    with pytest.raises(ValueError, match=r'hold 2 colours.*\n  NAME 1 2 3\n  NAME 0 0 0'):
        name_classes(names('a', 'b'), values((1, 2, 3), (0, 0, 0)))
    with pytest.raises(ValueError, match=r'1 colours without a class: \(0, 0, 0\)'):
        name_classes([Entry('a', None, (1, 2, 3))], values((1, 2, 3), (0, 0, 0)))
    with pytest.raises(ValueError, match='some classes have no id'):
        name_classes([Entry('a', 1), Entry('b')], values(1, 2))


def test_one_class_is_not_enough():
    with pytest.raises(ValueError, match='there is one class.*name the background'):
        name_classes(names('road'), values(3))


def test_classes_of_a_table_that_labels_do_not_show_are_ignored():
    entries = [Entry('road', 0), Entry('train', 16), Entry('ignore', 255)]
    assert keep(entries, seen_names(entries, values(0, 255))) == [
        Entry('road', 0),
        Entry('ignore', 16),
        Entry('ignore', 255),
    ]


def test_a_user_is_asked_for_each_value():
    asked = []

    def ask(question, default):
        asked.append((question, default))
        return {1: 'car'}.get(len(asked), default)

    found = name_classes(ask_for_classes(values(3, 255, 8), ask), values(3, 255, 8))
    assert found.names == ('car', 'class_8') and found.table == {3: 0, 8: 1, 255: 255}
    assert asked[0] == ('class of 3 (33.3 % of the pixels, in 2 labels; "ignore" for none)', 'class_3')
    assert asked[2][1] == 'ignore'
    masks = name_classes(ask_for_classes(values(0, 255), lambda _, default: default), values(0, 255))
    assert masks.names == ('background', 'foreground')


def test_source_and_validation_have_the_same_classes():
    by_id = [Entry('road', 0), Entry('car', 1), Entry('void', 255)]
    require_equal(by_id, [Entry('car', 7), Entry('road', 3)], 'val')
    require_equal(by_id, names('car', 'road'), 'val')
    with pytest.raises(ValueError, match='different classes:\n  source: 0 road, 1 car\n  val: 3 road, 7 bus\n'):
        require_equal(by_id, [Entry('road', 3), Entry('bus', 7)], 'val')
    with pytest.raises(ValueError, match='different classes, in their order:\n  source: road, car\n  val: car, road\n'):
        require_equal(names('road', 'car'), names('car', 'road'), 'val', one_table=True)
    require_equal(by_id, [Entry('void', 255), *by_id[:2]], 'val', one_table=True)
    with pytest.raises(ValueError, match='other ids:\n  source: 0 road, 1 car\n  val: 1 road, 0 car\n'):
        require_equal(by_id, [Entry('road', 1), Entry('car', 0)], 'val', one_table=True)

"""Checks that class lists agree."""

from mmuda.datasets.class_lists import differing_classes


def test_the_first_different_list_is_named():
    assert differing_classes(dict(source=('a', 'b'), target=['a', 'b'], val=None)) is None
    assert differing_classes(dict(source=('a', 'b'), target=('a', 'b'), val=('b', 'a'))) == ('source', 'val')
    assert differing_classes({}) is None

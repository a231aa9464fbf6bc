"""Class lists that must agree."""

import pytest

from mmuda.datasets.class_lists import check_checkpoint_classes, differing_classes


def test_the_first_different_list_is_named():
    assert differing_classes(dict(source=('a', 'b'), target=['a', 'b'], val=None)) is None
    assert differing_classes(dict(source=('a', 'b'), target=('a', 'b'), val=('b', 'a'))) == ('source', 'val')
    assert differing_classes({}) is None


def test_classes_of_a_checkpoint():
    checkpoint = dict(meta=dict(dataset_meta=dict(classes=('a', 'b'))))
    for same in (('a', 'b'), None):
        assert check_checkpoint_classes(checkpoint, same, 'x.pth') is None
    assert check_checkpoint_classes(dict(state_dict={}), ('a', 'b'), 'x.pth') is None
    assert 'x.pth was trained' in check_checkpoint_classes(checkpoint, ('a', 'c'), 'x.pth')
    with pytest.raises(ValueError, match='the same in another order'):
        check_checkpoint_classes(checkpoint, ('b', 'a'), 'x.pth')

"""Label tables of own data, inverted."""

import pytest
from mmengine.config import Config

from mmuda.prediction import own_ids

NAMES = ('background', 'road', 'car')


def own_config(test: dict | None = None, source: dict | None = None) -> Config:
    """Return a config with a data set of test images and one of source images, with these arguments."""
    common = dict(type='SegmentationListDataset', ann_file='list.txt', label_classes=NAMES, pipeline=[])
    return Config(
        dict(
            default_scope='mmseg',
            test_dataloader=dict(dataset={**common, **(test or {})}),
            train_dataloader=dict(
                dataset=dict(
                    type='DomainPairDataset', source={**common, **(source or {})}, target=dict(common, images_only=True)
                )
            ),
        )
    )


def test_the_smallest_of_several_ids():
    table = {200: 2, 7: 1, 0: 0, 4: 1, 9: 255}
    assert own_ids(own_config(dict(label_table=table)), NAMES) == (0, 4, 200)
    assert own_ids(own_config(dict(label_table={**table, -1: 255})), NAMES) == (0, 4, 200)
    assert own_ids(own_config(dict(label_table={3: 0, 255: 1, 5: 2})), NAMES) == (3, 255, 5)


def test_the_table_of_test_labels_comes_before_that_of_the_source():
    tables = [dict(label_table={value: 0, 1: 1, 2: 2}) for value in (10, 20)]
    assert own_ids(own_config(*tables), NAMES) == (10, 1, 2)
    assert own_ids(own_config(source=tables[1]), NAMES) == (20, 1, 2), 'test images without labels have no table'


def test_merged_classes():
    merged = dict(label_classes=('a', 'b', 'c'), class_map={'x': ['c', 'b'], 'y': 'a'}, label_table={5: 0, 6: 1, 8: 2})
    assert own_ids(own_config(merged), ('x', 'y')) == (6, 5)


@pytest.mark.parametrize(
    'test, words',
    [
        ({}, 'no data set of test_dataloader and train_dataloader in the config has a label_table'),
        (dict(label_table={0: 0, 1: 1}), r'test_dataloader.dataset has no id for the class car \(train id 2\)'),
        (dict(label_table={0: 0, 300: 1, 2: 2}), 'has the id 300 for the class road, .* ids up to 255'),
        (dict(label_table={(0, 0, 0): 0, (9, 9, 9): 1, (1, 1, 1): 2}), 'maps colours, so its labels have no ids'),
        (
            dict(label_table={0: 0}, label_classes=('a', 'b')),
            'network has the classes background, road, car, but test_dataloader.dataset has a, b',
        ),
    ],
)
def test_one_clear_error(test, words):
    with pytest.raises(ValueError, match=words):
        own_ids(own_config(test), NAMES)


def test_a_data_set_of_mmseg_has_no_table():
    cfg = Config(dict(test_dataloader=dict(dataset=dict(type='BaseSegDataset'))))
    with pytest.raises(ValueError, match='leave out --format own'):
        own_ids(cfg, NAMES)

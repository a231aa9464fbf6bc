"""A data set without images raises one clear error."""

import pytest
from toolbox import Numbers

from mmuda.datasets import DomainPairDataset
from mmuda.datasets.building import build_dataset


@pytest.mark.parametrize('exists', [True, False])
def test_an_empty_side_is_an_error(tmp_path, exists):
    if exists:
        (tmp_path / 'leftImg8bit').mkdir()
    target = dict(type='CityscapesDataset', data_root=str(tmp_path), data_prefix=dict(img_path='leftImg8bit'))
    with pytest.raises(
        FileNotFoundError, match='found no image in .*leftImg8bit' if exists else 'does not exist: docs'
    ):
        DomainPairDataset(Numbers(2), target)


def test_a_list_of_a_data_set_of_mmseg_stays_below_its_root(tmp_path):
    inner = tmp_path / 'inner'
    for folder in (tmp_path, inner / 'images'):
        folder.mkdir(exist_ok=True, parents=True)
        (folder / 'a.png').touch()
    node = dict(type='BaseSegDataset', data_root=str(inner), data_prefix=dict(img_path='images'), img_suffix='.png')
    node |= dict(ann_file='list.txt', metainfo=dict(classes=('x', 'y')))
    (inner / 'list.txt').write_text('a\n')
    assert len(build_dataset(node)) == 1
    (inner / 'list.txt').write_text('a\n../../a\n')
    with pytest.raises(ValueError, match=r'list.txt names .*/images/../../a.png, which is outside of .*inner'):
        build_dataset(node)


@pytest.mark.parametrize('indices', [0, []])
def test_indices_that_choose_nothing_are_named(indices):
    with pytest.raises(ValueError, match='CityscapesDataset: indices=.* selects no image'):
        build_dataset(dict(type='CityscapesDataset', indices=indices))

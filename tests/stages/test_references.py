"""References to stages by name."""

import pytest

from mmuda.stages.references import references, rename, resolve


def test_references_are_found_and_resolved(tmp_path):
    value = dict(a='{rank}/easy.txt', b=['{label}', ('plain', 3)], c='no {rank} inside')
    assert set(references(value)) == {'rank', 'label'}
    found = resolve(value, dict(rank=tmp_path / 'r', label=tmp_path / 'l'))
    assert found == dict(a=f'{tmp_path}/r/easy.txt', b=[f'{tmp_path}/l', ('plain', 3)], c='no {rank} inside')
    with pytest.raises(KeyError, match='label.*there are rank'):
        resolve(value, dict(rank=tmp_path))


def test_rounds_have_their_own_names():
    found = rename(dict(a='{label}', b='{prior}/prior.npz'), dict(label='rounds/2/label'))
    assert found == dict(a='{rounds/2/label}', b='{prior}/prior.npz')

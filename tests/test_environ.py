"""Temporary environment variables."""

import os

import pytest

from mmuda.environ import environment_variable


@pytest.mark.parametrize('before', [None, 'old'])
def test_a_variable_is_as_it_was_after_an_error(monkeypatch, before):
    monkeypatch.delenv('MMUDA_TEST', raising=False)
    if before is not None:
        monkeypatch.setenv('MMUDA_TEST', before)
    with pytest.raises(KeyError), environment_variable('MMUDA_TEST', 'new'):
        assert os.environ['MMUDA_TEST'] == 'new'
        raise KeyError
    assert os.environ.get('MMUDA_TEST') == before

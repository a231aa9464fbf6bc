"""Fixtures of all tests of data sets."""

import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def cache_dir(tmp_path_factory, monkeypatch):
    """Nothing is kept in the cache folder of the user."""
    folder = tmp_path_factory.mktemp('cache')
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(folder))
    return folder


@pytest.fixture(autouse=True)
def mmseg_scope():
    """Pipelines are built as under `default_scope = 'mmseg'` in a config."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield

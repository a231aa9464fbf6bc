"""Fixtures of the tests of data sets."""

import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def cache_dir(tmp_path_factory, monkeypatch):
    """Redirect the cache to an empty folder for each test."""
    folder = tmp_path_factory.mktemp('cache')
    monkeypatch.setenv('MMUDA_CACHE_DIR', str(folder))
    return folder


@pytest.fixture(autouse=True)
def mmseg_scope():
    """Build pipelines with `default_scope = 'mmseg'`, as in a config."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield

"""Fixtures for the tests of plug-ins: the fixtures of the package."""

from fixtures import batch, cache_dir, data_roots, default_scope, minicity, quick_runners

__all__ = ['batch', 'cache_dir', 'data_roots', 'default_scope', 'minicity', 'quick_runners']

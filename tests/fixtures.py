"""Fixtures of the whole suite. The tests of the package and of the plug-ins import them from here."""

import functools
import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope
from toolbox import pair_batch, tiny_config
from yapf.yapflib import yapf_api


@pytest.fixture(autouse=True, scope='session')
def cache_dir(tmp_path_factory) -> None:
    """Redirect the caches of all tests to a temporary folder, away from the home folder of the user."""
    os.environ['MMUDA_CACHE_DIR'] = str(tmp_path_factory.mktemp('cache'))


@pytest.fixture(autouse=True)
def default_scope() -> Iterator[None]:
    """Make registries search the scope of mmseg, independent of the runners of earlier tests."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture(autouse=True, scope='session')
def quick_runners() -> Iterator[None]:
    """Save most of the time of a tiny run: format each config once, and skip old objects in garbage collection.

    mmengine formats the text of a config with yapf each time it is read, up to eight times in a run. The cached text is
    the same.
    """
    original = yapf_api.FormatCode
    formatted = functools.lru_cache(maxsize=64)(lambda text, options: original(text, **dict(options)))

    def format_once(text: str, style_config: dict, **kwargs):
        return formatted(text, (('style_config', _Style(style_config)), *kwargs.items()))

    yapf_api.FormatCode = format_once
    gc.collect()
    gc.freeze()  # garbage collection skips everything imported so far
    yield
    gc.unfreeze()
    yapf_api.FormatCode = original


class _Style(dict):
    """A hashable dict of options, used as a part of a cache key."""

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.items())))


@pytest.fixture
def sigint_is_heard() -> Iterator[None]:
    """Enable SIGINT in this process and those that it starts; shells make background processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def batch() -> dict:
    """Return a collated batch of domain pairs."""
    return pair_batch()


@pytest.fixture(scope='session')
def minicity(tmp_path_factory) -> Path:
    """Return the folder of a MiniCity with a few small images."""
    from mmuda.minicity import write_minicity

    return Path(
        write_minicity(
            tmp_path_factory.mktemp('my data') / 'minicity', num_source=7, num_target=5, num_val=5, size=(64, 48)
        )
    )


@pytest.fixture(scope='session')
def data_roots(minicity) -> dict:
    """Return the folders of all data sets that configs use, by environment variable."""
    from shipped import make_roots

    return make_roots(minicity)


@pytest.fixture(scope='session')
def trained(minicity, tmp_path_factory) -> dict:
    """Return checkpoints of a tiny AdvEnt, a tiny AdaBN and a tiny DACS."""
    from mmuda.checkpoints.latest import latest_checkpoint
    from mmuda.engine.launch import build_runner

    found = {}
    for method in ('advent', 'adabn', 'dacs'):
        work_dir = tmp_path_factory.mktemp(method)
        build_runner(tiny_config(method, minicity, work_dir, iters=4)).train()
        found[method] = latest_checkpoint(work_dir)
    return found

"""Checkpoints for the tools."""

import pytest
from toolbox import tiny_config

from mmuda.checkpoints.latest import latest_checkpoint
from mmuda.engine.launch import build_runner


@pytest.fixture(scope='session')
def trained(minicity, tmp_path_factory) -> dict:
    """Checkpoints of a tiny AdvEnt, a tiny AdaBN and a tiny DACS."""
    found = {}
    for method in ('advent', 'adabn', 'dacs'):
        work_dir = tmp_path_factory.mktemp(method)
        build_runner(tiny_config(method, minicity, work_dir, iters=4)).train()
        found[method] = latest_checkpoint(work_dir)
    return found

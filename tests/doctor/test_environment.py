"""Examination of the machine and its packages."""

import importlib.metadata
import importlib.util

import pytest

from mmuda import compat
from mmuda.doctor import environment
from mmuda.doctor.environment import OPERATORS, examine_environment
from mmuda.doctor.rows import ERROR, OK, WARNING


def rows(cfg=None) -> dict:
    return {row.item: row for row in examine_environment(cfg).rows}


def test_this_environment_has_no_error():
    found = rows()
    assert not [row for row in found.values() if row.verdict == ERROR]
    assert found['numpy' if 'numpy' in found else 'other packages'].verdict == OK
    assert found['torch'].found.startswith(importlib.metadata.version('torch').split('+')[0])


@pytest.mark.parametrize(
    ('lowest', 'newest', 'verdict', 'remedy'),
    [('99.0', '99.1', ERROR, 'pip install "torch>=99.0"'), ('1.0', '1.1', WARNING, 'pip install "torch==1.1.*"')],
)
def test_versions_outside_of_the_tested_range(monkeypatch, lowest, newest, verdict, remedy):
    monkeypatch.setitem(compat.TESTED, 'torch', compat.Tested(lowest, newest, 'torch'))
    row = rows()['torch']
    assert row.verdict == verdict and remedy in row.remedy and f'tested: {lowest} to {newest}' in row.found


def test_a_package_that_is_missing_or_too_old(monkeypatch):
    needed = ['surely-not-installed>=1', 'numpy>=99', 'pytest>=1; extra == "tests"', 'packaging>=1']
    monkeypatch.setattr(importlib.metadata, 'requires', lambda name: needed)
    found = rows()
    assert found['surely-not-installed'].verdict == ERROR
    assert found['numpy'].verdict == ERROR and 'needed is numpy>=99' in found['numpy'].found
    assert found['other packages'].found.split()[0] == 'packaging' and 'pytest' not in found['other packages'].found


@pytest.mark.parametrize('built', [False, True])
def test_compiled_operators_are_an_error_for_those_who_need_them(monkeypatch, built):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: (object() if built else None) if name == OPERATORS else real(name)
    )
    item = 'compiled operators (mmcv.ops)'
    user = dict(model=dict(decode_head=[dict(type='mmseg.CCHead')], conv_cfg=dict(type='Conv2d')))
    assert rows(user)[item].verdict == (OK if built else ERROR)
    assert rows(dict(model=dict(type='ADVENT')))[item].verdict == OK == rows()[item].verdict
    assert built or 'CCHead (mmseg, cc_head)' in rows(user)[item].found


def test_little_shared_memory_is_a_warning(monkeypatch):
    if environment.SHARED_MEMORY.is_dir():
        monkeypatch.setattr(environment, 'LEAST_SHARED', 2**60)
        assert rows()[f'shared memory ({environment.SHARED_MEMORY})'].verdict == WARNING

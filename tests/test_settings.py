"""Comparable settings do not depend on the machine."""

from mmuda.settings import comparable, differences, settings_digest


def test_settings_do_not_depend_on_where_data_is():
    here = dict(dataset=dict(type='A', data_root='/x'), num_workers=2, lr=0.1, size=(1, 2))
    there = dict(dataset=dict(type='A', data_root='/y'), num_workers=0, lr=0.1, size=[1, 2])
    assert settings_digest(here) == settings_digest(there)
    assert differences(comparable(here), comparable(dict(there, lr=0.2, more=dict(a=1)))) == [
        'lr: was 0.1, is 0.2',
        'more: was null, is {"a": 1}',
    ]

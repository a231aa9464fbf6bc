"""Values stored in a first pass for a second one."""

import shutil
from collections import namedtuple

import torch

from mmuda.engine.kept_values import KeptValues


def test_values_are_kept_without_a_file_to_delete(tmp_path):
    kept = KeptValues(tmp_path)
    kept[3], kept['a'] = torch.arange(5), [torch.zeros(2), 'text']
    assert torch.equal(kept[3], torch.arange(5)) and kept['a'][1] == 'text'
    assert 3 in kept and 4 not in kept and not list(tmp_path.iterdir())


def test_most_of_the_disk_stays_free(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: namedtuple('Usage', 'free')(free=4000))
    kept = KeptValues(tmp_path)
    for number in range(5):
        kept[number] = bytes(700)
    assert [number for number in range(5) if number in kept] == [0]
    assert kept[0] == bytes(700)

"""Every shipped config with one training trains, validates, saves and tests, at reduced size on files in its layout."""

import pytest
import torch
from shipped import SINGLE, ids, reduced
from syncing import never_waiting

from mmuda.engine.launch import build_runner


@pytest.mark.parametrize(**ids(SINGLE))
def test_it_trains_and_tests_at_reduced_size(path, tmp_path, data_roots):
    cfg = reduced(path, tmp_path, data_roots)
    runner = build_runner(cfg)
    start = {name: value.clone() for name, value in runner.model.segmentor.named_parameters()}
    with never_waiting(path):
        runner.train()
    moved = [name for name, value in runner.model.segmentor.named_parameters() if not torch.equal(start[name], value)]
    assert moved and (tmp_path / 'iter_2.pth').is_file()
    cfg.load_from = str(tmp_path / 'iter_2.pth')
    found = build_runner(cfg).test()
    assert 0 <= found['mIoU'] <= 100

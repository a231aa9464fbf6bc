"""Configs in configs/backbones: a network of each family of mmseg trains, tests and resumes exactly."""

from collections.abc import Iterable

import pytest
import torch
from shipped import BACKBONES, ids, reduced
from trainings import assert_same, final_weights

from mmuda.engine.launch import build_runner


def part_names(names: Iterable[str]) -> set[str]:
    """Return the parts of backbone and heads that contain these parameters."""
    return {'.'.join(name.split('.')[:2]) for name in names}


@pytest.mark.parametrize(**ids(BACKBONES))
def test_it_trains_tests_and_resumes_exactly(path, tmp_path, data_roots):
    def config(folder: str):
        cfg = reduced(path, tmp_path / folder, data_roots)
        cfg.default_hooks.checkpoint.interval = 1
        return cfg

    cfg = config('whole')
    runner = build_runner(cfg)
    start = {name: value.clone() for name, value in runner.model.segmentor.named_parameters() if value.requires_grad}
    runner.train()
    now = dict(runner.model.segmentor.named_parameters())
    assert part_names(start) == part_names(name for name, value in start.items() if not torch.equal(now[name], value))
    cfg.load_from = str(tmp_path / 'whole/iter_2.pth')
    assert 0 <= build_runner(cfg).test()['mIoU'] <= 100

    cfg = config('cut')
    cfg.resume = str(tmp_path / 'whole/iter_1.pth')
    build_runner(cfg).train()
    assert_same(final_weights(tmp_path / 'whole'), final_weights(tmp_path / 'cut'))

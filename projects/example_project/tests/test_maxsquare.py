"""The example project: its formula by hand, and a training of its config with the shipped tools."""

import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from mmuda.engine.launch import build_runner, load_config  # noqa: E402
from mmuda.minicity import write_minicity  # noqa: E402
from projects.example_project.maxsquare import max_square_loss  # noqa: E402


def test_formula_by_hand():
    # Two pixels, two classes, both predicted as class 0: N_0 = 2, N_1 = 0 (counts as 1), N = 2.
    probs = torch.tensor([[0.8, 0.6], [0.2, 0.4]]).view(1, 2, 1, 2)
    for ratio in (0.0, 0.5):
        first = (0.64 + 0.36) / (2**ratio * 2 ** (1 - ratio))
        second = (0.04 + 0.16) / (1**ratio * 2 ** (1 - ratio))
        wanted = -(first + second) / (2 * 2)
        assert max_square_loss(probs.log(), ratio).item() == pytest.approx(wanted, rel=1e-5)


def test_it_trains(tmp_path, monkeypatch):
    monkeypatch.setenv(
        'MINICITY_ROOT', str(write_minicity(tmp_path / 'data', num_source=3, num_target=3, num_val=2, size=(64, 48)))
    )
    monkeypatch.chdir(ROOT)
    cfg = load_config(
        'projects/example_project/configs/maxsquare_minicity.py',
        {
            'model.segmentor.backbone.base_channels': 4,
            'model.segmentor.backbone.stem_channels': 4,
            'model.segmentor.decode_head.in_channels': 32,
            'train_cfg.max_iters': 2,
            'train_dataloader.batch_size': 2,
        },
        str(tmp_path / 'work'),
    )
    runner = build_runner(cfg)
    before = {name: p.clone() for name, p in runner.model.named_parameters()}
    runner.train()
    assert any(not torch.equal(before[name], p) for name, p in runner.model.named_parameters())
    assert (tmp_path / 'work/iter_2.pth').is_file()
    assert any('loss_square_main' in key for key in runner.message_hub.log_scalars)
